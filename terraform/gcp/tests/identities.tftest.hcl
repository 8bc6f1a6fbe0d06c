# Who may do what: each binding, and that there is no other.

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

run "bindings" {
  command = plan

  assert {
    condition     = google_storage_bucket_iam_member.runtime.bucket == "my-project-persistor" && google_storage_bucket_iam_member.runtime.role == "roles/storage.objectCreator" && google_storage_bucket_iam_member.runtime.member == "serviceAccount:persistor-runtime@my-project.iam.gserviceaccount.com"
    error_message = "The service may create blobs in the archive's bucket."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.push.name == "persistor" && google_cloud_run_v2_service_iam_member.push.location == "europe-west1" && google_cloud_run_v2_service_iam_member.push.role == "roles/run.invoker" && google_cloud_run_v2_service_iam_member.push.member == "serviceAccount:persistor-push@my-project.iam.gserviceaccount.com"
    error_message = "The push identity may invoke this service."
  }
  assert {
    condition     = google_service_account_iam_member.pubsub_agent.service_account_id == "projects/my-project/serviceAccounts/persistor-push@my-project.iam.gserviceaccount.com" && google_service_account_iam_member.pubsub_agent.role == "roles/iam.serviceAccountOpenIdTokenCreator" && google_service_account_iam_member.pubsub_agent.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent may make ID tokens of the push identity."
  }
  assert {
    condition     = google_storage_bucket_iam_member.run_agent[0].bucket == "my-project-persistor-package" && google_storage_bucket_iam_member.run_agent[0].role == "roles/storage.objectViewer" && google_storage_bucket_iam_member.run_agent[0].member == "serviceAccount:service-123456789012@serverless-robot-prod.iam.gserviceaccount.com"
    error_message = "Cloud Run's agent may read packages, which are not in the archive's bucket."
  }
  assert {
    condition     = length(google_pubsub_topic_iam_member.dead_letters) == 0 && length(google_pubsub_subscription_iam_member.dead_letters) == 0 && length(google_kms_crypto_key_iam_member.storage) == 0 && length(google_kms_crypto_key_iam_member.pubsub) == 0
    error_message = "Rights for dead letters and keys are given only where these are asked for."
  }
}

# No broader one: every binding that there is, and every role that is named, in all of the module.
run "no_other_bindings" {
  command = plan

  module {
    source = "./tests/sources"
  }

  assert {
    condition = toset(flatten(regexall("resource \"(google_[a-z0-9_]*_iam_(?:member|binding|policy|audit_config)\" \"[a-z0-9_]+)\"", output.text))) == toset([
      "google_cloud_run_v2_service_iam_member\" \"push",
      "google_kms_crypto_key_iam_member\" \"pubsub",
      "google_kms_crypto_key_iam_member\" \"storage",
      "google_pubsub_subscription_iam_member\" \"dead_letters",
      "google_pubsub_topic_iam_member\" \"dead_letters",
      "google_service_account_iam_member\" \"pubsub_agent",
      "google_storage_bucket_iam_member\" \"run_agent",
      "google_storage_bucket_iam_member\" \"runtime",
    ])
    error_message = "There are bindings that no test knows."
  }
  assert {
    condition = toset(regexall("roles/[A-Za-z.]+", output.text)) == toset([
      "roles/cloudkms.cryptoKeyEncrypterDecrypter",
      "roles/iam.serviceAccountOpenIdTokenCreator",
      "roles/pubsub.publisher",
      "roles/pubsub.subscriber",
      "roles/run.invoker",
      "roles/storage.objectCreator",
      "roles/storage.objectViewer",
    ])
    error_message = "There are roles that no test knows."
  }
  assert {
    condition     = length(regexall("allUsers|allAuthenticatedUsers|_iam_binding|_iam_policy", output.text)) == 0
    error_message = "Nothing is public, and no binding takes away what others have granted."
  }
}

# No mock asks for an order: it is read from the text.
run "rights_before_use" {
  command = plan

  module {
    source = "./tests/sources"
  }

  assert {
    condition     = alltrue([for bucket in ["archive", "package"] : contains(output.depends_on["google_storage_bucket.${bucket}"], "google_kms_crypto_key_iam_member.storage")])
    error_message = "Cloud Storage's agent may use the key before a bucket is made with it."
  }
  assert {
    condition     = alltrue([for topic in ["this", "dead_letters"] : contains(output.depends_on["google_pubsub_topic.${topic}"], "google_kms_crypto_key_iam_member.pubsub")])
    error_message = "Pub/Sub's agent may use the key before a topic is made with it."
  }
  assert {
    condition     = alltrue([for right in ["google_cloud_run_v2_service_iam_member.push", "google_service_account_iam_member.pubsub_agent"] : contains(output.depends_on["google_pubsub_subscription.this"], right)])
    error_message = "Pushes are let in before there are some, and as long as there are some."
  }
  assert {
    condition     = alltrue([for right in ["google_storage_bucket_iam_member.runtime", "google_storage_bucket_iam_member.run_agent"] : contains(output.depends_on["google_cloud_run_v2_service.this"], right)])
    error_message = "Cloud Run's agent may read the package, and the service store, before the service starts."
  }
  assert {
    condition = alltrue([for made in [
      "google_cloud_run_v2_service.this", "google_kms_crypto_key_iam_member.storage", "google_monitoring_alert_policy.this", "google_project_iam_custom_role.reader", "google_project_iam_custom_role.replayer",
      "google_project_service_identity.pubsub", "google_project_service_identity.run", "google_pubsub_topic.dead_letters", "google_pubsub_topic.this", "google_service_account.push",
      "google_service_account.runtime", "google_storage_bucket.archive", "google_storage_bucket.package",
    ] : contains(output.depends_on[made], "google_project_service.this")])
    error_message = "An API is on before it is asked."
  }
}

run "recovery" {
  command = plan

  assert {
    condition     = google_project_iam_custom_role.reader[0].role_id == "persistor_reader" && google_project_iam_custom_role.reader[0].permissions == toset(["storage.objects.get", "storage.objects.list"])
    error_message = "A reader lists and reads."
  }
  assert {
    condition     = google_project_iam_custom_role.replayer[0].role_id == "persistor_replayer" && google_project_iam_custom_role.replayer[0].permissions == toset(["pubsub.subscriptions.get", "pubsub.topics.publish", "storage.objects.get", "storage.objects.list"])
    error_message = "A replayer reads, and publishes."
  }
  assert {
    condition     = output.reader_role == "projects/my-project/roles/persistor_any" && output.replayer_role == "projects/my-project/roles/persistor_any"
    error_message = "Both are outputs."
  }
}

run "no_recovery_roles" {
  command = plan

  variables {
    recovery_roles = false
  }

  assert {
    condition     = length(google_project_iam_custom_role.reader) == 0 && length(google_project_iam_custom_role.replayer) == 0 && output.reader_role == null && output.replayer_role == null
    error_message = "Who may make no roles can leave them out."
  }
}

run "existing_bucket" {
  command = plan

  variables {
    bucket = "shared-archive"
  }

  assert {
    condition     = google_storage_bucket_iam_member.runtime.bucket == "shared-archive"
    error_message = "The right to create is on the bucket that the archive is in."
  }
}

run "dead_letters" {
  command = plan

  variables {
    streams = {
      orders   = { topic = "projects/shop/topics/orders", dead_letters = true }
      payments = { topic = "projects/shop/topics/payments" }
    }
  }

  assert {
    condition     = keys(google_pubsub_topic_iam_member.dead_letters) == ["orders"] && google_pubsub_topic_iam_member.dead_letters["orders"].topic == "persistor-orders-dead-letters" && google_pubsub_topic_iam_member.dead_letters["orders"].role == "roles/pubsub.publisher" && google_pubsub_topic_iam_member.dead_letters["orders"].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent may publish dead letters."
  }
  assert {
    condition     = keys(google_pubsub_subscription_iam_member.dead_letters) == ["orders"] && google_pubsub_subscription_iam_member.dead_letters["orders"].subscription == "persistor-orders" && google_pubsub_subscription_iam_member.dead_letters["orders"].role == "roles/pubsub.subscriber" && google_pubsub_subscription_iam_member.dead_letters["orders"].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent may acknowledge what it has moved, on this subscription only."
  }
}

run "image" {
  command = plan

  variables {
    package = { image = "europe-west1-docker.pkg.dev/my-project/apps/persistor@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.run_agent) == 0 && length(google_project_service_identity.run) == 0
    error_message = "Without a package, nobody reads packages."
  }
}
