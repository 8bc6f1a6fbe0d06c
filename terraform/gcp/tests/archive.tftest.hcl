# The archive: options, and that nothing destroys it unless asked twice.

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

run "existing" {
  command = plan

  variables {
    bucket = "shared-archive"
    prefix = "production/eu"
  }

  assert {
    condition     = length(google_storage_bucket.archive) == 0
    error_message = "An existing bucket is only referred to."
  }
  assert {
    condition     = output.archive == "gs://shared-archive/production/eu" && output.bucket == "shared-archive" && local.environment.PERSISTOR_ARCHIVE == output.archive
    error_message = "The archive is in it, below the prefix."
  }
}

run "retention" {
  command = plan

  variables {
    retention_days = 365
  }

  assert {
    condition     = length(google_storage_bucket.archive[0].lifecycle_rule) == 1 && one(google_storage_bucket.archive[0].lifecycle_rule[0].action).type == "Delete" && one(google_storage_bucket.archive[0].lifecycle_rule[0].condition).days_since_custom_time == 365
    error_message = "Messages are deleted a year after they were published."
  }
  assert {
    condition     = one(google_storage_bucket.archive[0].lifecycle_rule[0].condition).age == null
    error_message = "The age counts for the layout's document, too, which must stay."
  }
  assert {
    condition     = length(google_storage_bucket.archive[0].retention_policy) == 0
    error_message = "To expire is one thing, to be undeletable another."
  }
}

run "undeletable" {
  command = plan

  variables {
    undeletable_days = 90
  }

  assert {
    condition     = google_storage_bucket.archive[0].retention_policy[0].retention_period == "7776000" && google_storage_bucket.archive[0].retention_policy[0].is_locked == false
    error_message = "For 90 days nobody deletes, and that can be taken back."
  }
  assert {
    condition     = length(google_storage_bucket.archive[0].lifecycle_rule) == 0
    error_message = "What is undeletable for a time does not expire after it."
  }
}

run "locked" {
  command = plan

  variables {
    undeletable_days     = 90
    undeletable_for_good = "nobody can ever shorten or remove this policy"
    retention_days       = 365
  }

  assert {
    condition     = google_storage_bucket.archive[0].retention_policy[0].is_locked
    error_message = "The lock is there if it is asked for."
  }
}

run "soft_delete" {
  command = plan

  variables {
    soft_delete_days = 0
  }

  assert {
    condition     = google_storage_bucket.archive[0].soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "Soft delete can be switched off."
  }
}

run "key" {
  command = plan

  variables {
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/archive"
  }

  assert {
    condition     = google_storage_bucket.archive[0].encryption[0].default_kms_key_name == var.kms_key && google_storage_bucket.package[0].encryption[0].default_kms_key_name == var.kms_key
    error_message = "The archive is encrypted with the key, and so are packages."
  }
  assert {
    condition     = google_kms_crypto_key_iam_member.storage[0].crypto_key_id == var.kms_key && google_kms_crypto_key_iam_member.storage[0].role == "roles/cloudkms.cryptoKeyEncrypterDecrypter" && google_kms_crypto_key_iam_member.storage[0].member == "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    error_message = "Cloud Storage's agent may use the key."
  }
  assert {
    condition     = length(google_kms_crypto_key_iam_member.pubsub) == 0
    error_message = "Without new topics, Pub/Sub's agent needs no key."
  }
  assert {
    condition     = contains(keys(google_project_service.this), "cloudkms")
    error_message = "The API that grants the key's use is on."
  }
}

# An existing bucket has what key it has.
run "key_of_packages" {
  command = plan

  variables {
    bucket  = "shared-archive"
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/archive"
  }

  assert {
    condition     = google_storage_bucket.package[0].encryption[0].default_kms_key_name == var.kms_key && length(google_kms_crypto_key_iam_member.storage) == 1
    error_message = "Packages are encrypted with the key where the archive's bucket is an existing one, too."
  }
}

# An image needs no bucket, so nothing of Cloud Storage needs the key.
run "key_without_buckets" {
  command = plan

  variables {
    bucket  = "shared-archive"
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/archive"
    streams = { orders = { topic = "orders", create_topic = true } }
    package = { image = "europe-west1-docker.pkg.dev/my-project/apps/persistor@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
  }

  assert {
    condition     = length(google_kms_crypto_key_iam_member.storage) == 0 && length(google_kms_crypto_key_iam_member.pubsub) == 1
    error_message = "Cloud Storage's agent may use the key only where a bucket is made with it."
  }
}

run "key_of_a_new_topic" {
  command = plan

  variables {
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/archive"
    streams = { orders = { topic = "orders", create_topic = true, dead_letters = true } }
  }

  assert {
    condition     = google_pubsub_topic.this["orders"].kms_key_name == var.kms_key && google_pubsub_topic.dead_letters["orders"].kms_key_name == var.kms_key
    error_message = "New topics have the archive's key."
  }
  assert {
    condition     = google_kms_crypto_key_iam_member.pubsub[0].crypto_key_id == var.kms_key && google_kms_crypto_key_iam_member.pubsub[0].role == "roles/cloudkms.cryptoKeyEncrypterDecrypter" && google_kms_crypto_key_iam_member.pubsub[0].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent may use the key."
  }
}

# Asked once: the running parts may go. The archive's bucket may not.
run "unprotected_service" {
  command = plan

  variables {
    deletion_protection = false
    streams             = { orders = { topic = "orders", create_topic = true, dead_letters = true } }
  }

  assert {
    condition     = google_cloud_run_v2_service.this.deletion_protection == false && google_pubsub_subscription.this["orders"].deletion_policy == "DELETE" && google_pubsub_topic.this["orders"].deletion_policy == "DELETE" && google_pubsub_topic.dead_letters["orders"].deletion_policy == "DELETE" && google_pubsub_subscription.dead_letters["orders"].deletion_policy == "DELETE"
    error_message = "Service, subscriptions and topics can be deleted."
  }
  assert {
    condition     = google_storage_bucket.archive[0].deletion_policy == "PREVENT" && google_storage_bucket.archive[0].force_destroy == false
    error_message = "The archive is protected by itself."
  }
}

# Asked twice, and still no blob is deleted.
run "unprotected_archive" {
  command = plan

  variables {
    deletion_protection     = false
    archive_deletion_policy = "DELETE"
  }

  assert {
    condition     = google_storage_bucket.archive[0].deletion_policy == "DELETE" && google_storage_bucket.archive[0].force_destroy == false
    error_message = "Only an empty bucket can be deleted."
  }
}

run "abandoned_archive" {
  command = plan

  variables {
    archive_deletion_policy = "ABANDON"
  }

  assert {
    condition     = google_storage_bucket.archive[0].deletion_policy == "ABANDON"
    error_message = "The archive can be left where it is."
  }
}
