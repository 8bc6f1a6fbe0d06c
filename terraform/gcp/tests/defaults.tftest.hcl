# Only what must be said is said here; what the module promises without being asked is asserted. (The package would be a file that nobody has built yet; package.tftest.hcl has one.)

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
  package = { image = "europe-west1-docker.pkg.dev/my-project/apps/persistor:0.1.0" }
}

run "defaults" {
  command = plan

  # The archive.
  assert {
    condition     = google_storage_bucket.archive[0].name == "my-project-persistor" && google_storage_bucket.archive[0].location == "europe-west1"
    error_message = "The bucket is named after project and name, and is in the region."
  }
  assert {
    condition     = google_storage_bucket.archive[0].uniform_bucket_level_access && google_storage_bucket.archive[0].public_access_prevention == "enforced"
    error_message = "Access is uniform and never public."
  }
  assert {
    condition     = google_storage_bucket.archive[0].force_destroy == false && google_storage_bucket.archive[0].deletion_policy == "PREVENT"
    error_message = "Neither blobs nor the bucket are deleted, unless asked twice."
  }
  assert {
    condition     = google_storage_bucket.archive[0].soft_delete_policy[0].retention_duration_seconds == 2592000
    error_message = "What is deleted can be brought back for 30 days."
  }
  assert {
    condition     = length(google_storage_bucket.archive[0].lifecycle_rule) == 0
    error_message = "Nothing ever expires, and nothing changes its class."
  }
  assert {
    condition     = google_storage_bucket.archive[0].storage_class == "STANDARD" && length(google_storage_bucket.archive[0].autoclass) == 0
    error_message = "No class transitions: moving small blobs costs more than it saves."
  }
  assert {
    condition     = length(google_storage_bucket.archive[0].retention_policy) == 0 && length(google_storage_bucket.archive[0].encryption) == 0
    error_message = "A retention policy and a key of one's own are options."
  }

  # The subscription.
  assert {
    condition     = google_pubsub_subscription.this["orders"].name == "persistor-orders" && google_pubsub_subscription.this["orders"].topic == "projects/shop/topics/orders"
    error_message = "A subscription of its own to the existing topic."
  }
  assert {
    condition     = google_pubsub_subscription.this["orders"].push_config[0].push_endpoint == "https://persistor-abcdefghij-ew.a.run.app/orders"
    error_message = "Pushes go to the service, and the path names the stream."
  }
  assert {
    condition     = google_pubsub_subscription.this["orders"].push_config[0].oidc_token[0].service_account_email == "persistor-push@my-project.iam.gserviceaccount.com" && google_pubsub_subscription.this["orders"].push_config[0].oidc_token[0].audience == "https://persistor-abcdefghij-ew.a.run.app"
    error_message = "Pushes have a token of the push identity, for this service."
  }
  assert {
    condition     = length(google_pubsub_subscription.this["orders"].push_config[0].no_wrapper) == 0 && local.environment.PERSISTOR_PUSH == "wrapped"
    error_message = "Pushes are wrapped, and the service expects them so."
  }
  assert {
    condition     = google_pubsub_subscription.this["orders"].ack_deadline_seconds == 600
    error_message = "The acknowledgement deadline is 600 seconds."
  }
  assert {
    condition     = google_pubsub_subscription.this["orders"].expiration_policy[0].ttl == ""
    error_message = "The subscription never expires."
  }
  assert {
    condition     = google_pubsub_subscription.this["orders"].message_retention_duration == "2678400s"
    error_message = "Messages are retained as long as the platform allows, 31 days."
  }
  assert {
    condition     = google_pubsub_subscription.this["orders"].retry_policy[0].minimum_backoff == "10s" && google_pubsub_subscription.this["orders"].retry_policy[0].maximum_backoff == "600s"
    error_message = "Retries back off from 10 to 600 seconds; both are explicit."
  }
  assert {
    condition     = length(google_pubsub_subscription.this["orders"].dead_letter_policy) == 0
    error_message = "No dead-letter policy: a dead letter has lost its id and time."
  }
  assert {
    condition     = google_pubsub_subscription.this["orders"].filter == null && length(google_pubsub_subscription.this["orders"].message_transforms) == 0 && coalesce(google_pubsub_subscription.this["orders"].enable_exactly_once_delivery, false) == false
    error_message = "Nothing is filtered or altered, and nothing is asked for that push cannot do."
  }
  assert {
    condition     = google_pubsub_subscription.this["orders"].enable_message_ordering == false
    error_message = "Ordering is an option."
  }
  assert {
    condition     = google_pubsub_subscription.this["orders"].deletion_policy == "PREVENT" && google_cloud_run_v2_service.this.deletion_protection
    error_message = "Service and backlog are kept from being deleted."
  }

  # The service.
  assert {
    condition     = google_cloud_run_v2_service.this.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY" && google_cloud_run_v2_service.this.invoker_iam_disabled == false && google_cloud_run_v2_service.this.default_uri_disabled == false
    error_message = "Only from inside Google Cloud, only by who may invoke, at the URL that Pub/Sub needs."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].service_account == "persistor-runtime@my-project.iam.gserviceaccount.com"
    error_message = "The service runs as its own identity."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].scaling[0].min_instance_count == 0 && google_cloud_run_v2_service.this.template[0].scaling[0].max_instance_count == 10
    error_message = "From 0 to 10 instances."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].resources[0].cpu_idle
    error_message = "An instance without a message costs nothing."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].startup_probe[0].http_get[0].path == "/health/ready" && google_cloud_run_v2_service.this.template[0].containers[0].liveness_probe[0].http_get[0].path == "/health/live"
    error_message = "Probes are on the program's own health paths."
  }
  assert {
    condition = alltrue([for probe in concat(google_cloud_run_v2_service.this.template[0].containers[0].startup_probe, google_cloud_run_v2_service.this.template[0].containers[0].liveness_probe) :
    probe.timeout_seconds < probe.period_seconds])
    error_message = "A probe is answered before the next one."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].startup_probe[0].failure_threshold == 30 && google_cloud_run_v2_service.this.template[0].containers[0].startup_probe[0].period_seconds == 2 && google_cloud_run_v2_service.this.template[0].containers[0].liveness_probe[0].failure_threshold == 3 && google_cloud_run_v2_service.this.template[0].containers[0].liveness_probe[0].period_seconds == 30
    error_message = "The service has a minute to start, and is restarted after a minute and a half without an answer."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].timeout == "60s" && google_cloud_run_v2_service.this.template[0].max_instance_request_concurrency == 10
    error_message = "A request has 60 seconds, an instance 10 of them."
  }
  assert {
    condition = { for env in google_cloud_run_v2_service.this.template[0].containers[0].env : env.name => env.value } == {
      PERSISTOR_ARCHIVE       = "gs://my-project-persistor"
      PERSISTOR_KEY_TEMPLATE  = "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}"
      PERSISTOR_PUSH          = "wrapped"
      PERSISTOR_MAX_BODY      = "32MiB"
      PERSISTOR_MEMORY        = "384MiB"
      PERSISTOR_WRITE_TIMEOUT = "8s"
      PERSISTOR_DRAIN_TIMEOUT = "8s"
    }
    error_message = "The program is told exactly this."
  }
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].resources[0].limits["memory"] == "512Mi" && google_cloud_run_v2_service.this.template[0].containers[0].resources[0].limits["cpu"] == "1"
    error_message = "One CPU and 512 MiB."
  }

  # Around it.
  assert {
    condition     = { for api in google_project_service.this : api.service => api.disable_on_destroy } == { for api in ["iam", "monitoring", "pubsub", "run", "storage"] : "${api}.googleapis.com" => false }
    error_message = "The APIs are switched on, and stay on."
  }
  assert {
    condition     = keys(google_monitoring_alert_policy.this) == ["backlog", "failing", "ramp", "refused", "silent"]
    error_message = "Alerts are on."
  }
  assert {
    condition     = length(google_pubsub_topic.this) == 0 && length(google_pubsub_topic.dead_letters) == 0
    error_message = "An existing topic is only referred to."
  }

  # Outputs.
  assert {
    condition     = output.archive == "gs://my-project-persistor" && output.bucket == "my-project-persistor" && output.look == "persistor status -a gs://my-project-persistor"
    error_message = "The archive is named."
  }
  assert {
    condition     = output.subscriptions == { orders = "persistor-orders" } && output.topics == { orders = "projects/shop/topics/orders" } && output.dead_letter_subscriptions == {}
    error_message = "Subscriptions and topics are named by stream."
  }
  assert {
    condition     = output.try_it == { orders = "gcloud pubsub topics publish projects/shop/topics/orders --message='hello'" }
    error_message = "There is a command to try it."
  }
  assert {
    condition = output.identities == {
      runtime      = "persistor-runtime@my-project.iam.gserviceaccount.com"
      push         = "persistor-push@my-project.iam.gserviceaccount.com"
      pubsub_agent = "service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    }
    error_message = "The identities are named."
  }
  assert {
    condition     = output.service == { name = "persistor", location = "europe-west1", uri = "https://persistor-abcdefghij-ew.a.run.app" }
    error_message = "The service is named."
  }
}
