# The examples plan what they say.

mock_provider "google" {}

mock_provider "google-beta" {}

variables {
  project = "my-project"
  package = "tests/fixtures/package.tar.gz"
  release = {
    url    = "https://example.com/v1/persistor-gcp-function.tar.gz"
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  }
  image   = "europe-west1-docker.pkg.dev/my-project/apps/persistor@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/archive"
}

run "one_topic" {
  command = plan

  module {
    source = "./examples/one-topic"
  }

  assert {
    condition     = output.archive == "gs://my-project-persistor" && output.look == "persistor status -a gs://my-project-persistor"
    error_message = "One topic, one archive."
  }
}

run "several_topics" {
  command = plan

  module {
    source = "./examples/several-topics"
  }

  assert {
    condition     = output.archive == "gs://my-project-persistor" && output.subscriptions == { orders = "persistor-orders", payments = "persistor-payments", shipments = "persistor-shipments" }
    error_message = "Three topics, one archive."
  }
}

run "apart" {
  command = plan

  module {
    source = "./examples/apart"
  }

  assert {
    condition     = output.archives == { orders = "gs://my-project-persistor-orders/orders", clicks = "gs://my-project-persistor-orders/clicks", payments = "gs://my-project-persistor-payments" }
    error_message = "Two services with one bucket, a third with its own."
  }
}

run "everything" {
  command = plan

  module {
    source = "./examples/everything"
  }

  assert {
    condition     = output.archive == "gs://my-project-audit/audit/v1" && google_storage_bucket_iam_member.readers.bucket == "my-project-audit"
    error_message = "Everything, and readers of this archive only."
  }
}
