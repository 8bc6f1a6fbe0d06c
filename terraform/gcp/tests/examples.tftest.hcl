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
  assert {
    condition     = module.archive.subscriptions == { north = "audit-north", orders = "audit-orders" } && module.archive.dead_letter_subscriptions == { orders = "audit-orders-dead-letters" }
    error_message = "Two streams, one of them with dead letters."
  }
  assert {
    condition     = keys(module.archive.alerts) == ["backlog", "dead_letters", "failing", "ramp", "refused", "silent"]
    error_message = "Every alert."
  }
}

# What no output of it tells is read from its text.
run "everything_by_its_text" {
  command = plan

  module {
    source = "./tests/sources"
  }

  assert {
    condition = alltrue([for line in [
      "create_topic += true", "ordering += true", "filter += \"attributes.tenant", "may_rest += true", "image = var.image", "kms_key += var.kms_key", "soft_delete_days = 90",
      "undeletable_days = 90", "retention_days += 3650", "labels += \\{ team", "notification_channels = \\[google_monitoring_notification_channel.mail.name\\]",
      "# undeletable_for_good = \"nobody can ever shorten or remove this policy\"",
    ] : can(regex("\n +(package = \\{ )?${line}", output.everything))])
    error_message = "It shows what the README says, and the lock only where it is not in force."
  }
}
