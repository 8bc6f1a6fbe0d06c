resource "google_project_service" "this" {
  for_each = var.enable_apis ? toset(concat(["iam", "monitoring", "pubsub", "run", "storage"], var.kms_key == null ? [] : ["cloudkms"])) : []

  project            = var.project
  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}

resource "google_cloud_run_v2_service" "this" {
  # `source_code` is known to google-beta only.
  provider = google-beta

  project              = var.project
  name                 = var.name
  location             = var.region
  description          = "Stores messages of Pub/Sub in ${local.archive}"
  ingress              = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invoker_iam_disabled = false
  default_uri_disabled = false # Pub/Sub pushes there; from elsewhere it is not reached.
  deletion_protection  = var.deletion_protection
  labels               = var.labels

  template {
    service_account                  = google_service_account.runtime.email
    timeout                          = "${var.request_timeout_seconds}s"
    max_instance_request_concurrency = var.concurrency
    labels                           = var.labels

    scaling {
      min_instance_count = 0
      max_instance_count = var.max_instances
    }

    containers {
      image          = local.packed ? "scratch" : var.package.image
      base_image_uri = local.packed ? "us-central1-docker.pkg.dev/serverless-runtimes/google-24/runtimes/osonly24" : null
      command        = local.packed ? ["./persistor-gcp-function"] : null

      dynamic "source_code" {
        for_each = google_storage_bucket_object.package
        content {
          cloud_storage_source {
            bucket     = source_code.value.bucket
            object     = source_code.value.name
            generation = source_code.value.generation
          }
        }
      }

      dynamic "env" {
        for_each = local.environment
        content {
          name  = env.key
          value = env.value
        }
      }

      resources {
        limits            = { cpu = tostring(var.cpu), memory = "${var.memory_mib}Mi" }
        cpu_idle          = true # Without it, instances cost whether they store or not.
        startup_cpu_boost = true
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 1
        failure_threshold = 30
        http_get {
          path = "/health/ready"
        }
      }

      # It never asks the store: a restart mends no outage.
      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3
        http_get {
          path = "/health/live"
        }
      }
    }
  }

  depends_on = [
    google_project_service.this,
    google_storage_bucket_iam_member.runtime,
    google_storage_bucket_iam_member.run_agent,
  ]
}

locals {
  environment = {
    PERSISTOR_ARCHIVE       = local.archive
    PERSISTOR_KEY_TEMPLATE  = var.key_template
    PERSISTOR_PUSH          = "wrapped"
    PERSISTOR_MAX_BODY      = "32MiB" # Cloud Run's own limit for a request.
    PERSISTOR_MEMORY        = "${var.memory_mib - 128}MiB"
    PERSISTOR_WRITE_TIMEOUT = "${var.write_timeout_seconds}s"
    PERSISTOR_DRAIN_TIMEOUT = "8s" # Cloud Run kills 10 seconds after SIGTERM.
  }
}
