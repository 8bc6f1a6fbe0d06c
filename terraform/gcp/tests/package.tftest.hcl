# The three ways to give the program.

mock_provider "google" {
  source = "./tests/mocks"
}

mock_provider "google-beta" {
  source = "./tests/mocks"
}

variables {
  project = "my-project"
  region  = "europe-west1"
  streams = { orders = { topic = "projects/shop/topics/orders" } }
  package = { path = "tests/fixtures/package.tar.gz" }
}

run "path" {
  command = plan

  assert {
    condition     = google_storage_bucket.package[0].uniform_bucket_level_access && google_storage_bucket.package[0].public_access_prevention == "enforced" && google_storage_bucket.package[0].name == "my-project-persistor-package"
    error_message = "Packages have a bucket of their own, which is not public."
  }
  assert {
    condition     = google_storage_bucket_object.package[0].name == "persistor-gcp-function-${filesha256("tests/fixtures/package.tar.gz")}.tar.gz" && google_storage_bucket_object.package[0].source == "tests/fixtures/package.tar.gz"
    error_message = "The name holds the content's digest, so that another package makes another revision."
  }
  assert {
    condition     = google_storage_bucket_object.package[0].source_md5hash == null && google_storage_bucket_object.package[0].deletion_policy == "ABANDON"
    error_message = "A file that changes is noticed, and old packages stay for old revisions."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].image == "scratch" && google_cloud_run_v2_service.this.template[0].containers[0].base_image_uri == "us-central1-docker.pkg.dev/serverless-runtimes/google-24/runtimes/osonly24" && google_cloud_run_v2_service.this.template[0].containers[0].command == tolist(["./persistor-gcp-function"])
    error_message = "The program runs on the OS-only base image."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].source_code[0].cloud_storage_source[0].bucket == "my-project-persistor-package" && google_cloud_run_v2_service.this.template[0].containers[0].source_code[0].cloud_storage_source[0].object == google_storage_bucket_object.package[0].name && google_cloud_run_v2_service.this.template[0].containers[0].source_code[0].cloud_storage_source[0].generation == "1234567890"
    error_message = "The revision is made of exactly this package."
  }
  assert {
    condition     = length(terraform_data.download) == 0
    error_message = "Nothing is downloaded."
  }
}

run "url" {
  command = plan

  variables {
    package = {
      url    = "https://example.com/v1/persistor-gcp-function.tar.gz"
      sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }
  }

  assert {
    condition     = length(terraform_data.download) == 1 && tolist(terraform_data.download[0].triggers_replace) == tolist(["https://example.com/v1/persistor-gcp-function.tar.gz", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])
    error_message = "A release is downloaded once for a URL and a digest."
  }
  assert {
    condition     = google_storage_bucket_object.package[0].name == "persistor-gcp-function-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.tar.gz" && endswith(google_storage_bucket_object.package[0].source, "/.terraform/persistor-gcp-function-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.tar.gz")
    error_message = "What is uploaded is what was checked."
  }
  assert {
    condition     = google_storage_bucket_object.package[0].source_md5hash == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    error_message = "A download that is not there any more is no difference."
  }
  assert {
    condition     = length(google_cloud_run_v2_service.this.template[0].containers[0].source_code) == 1
    error_message = "It runs like any package."
  }
}

run "image" {
  command = plan

  variables {
    package = { image = "europe-west1-docker.pkg.dev/my-project/apps/persistor@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].image == var.package.image && google_cloud_run_v2_service.this.template[0].containers[0].base_image_uri == null && google_cloud_run_v2_service.this.template[0].containers[0].command == null && length(google_cloud_run_v2_service.this.template[0].containers[0].source_code) == 0
    error_message = "An image is run as it is, by its own entry point."
  }
  assert {
    condition     = length(google_storage_bucket.package) == 0 && length(google_storage_bucket_object.package) == 0
    error_message = "No bucket is made for packages."
  }
}
