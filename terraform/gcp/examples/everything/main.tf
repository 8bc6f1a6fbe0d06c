# What else can be asked for: a new topic with ordering and dead letters, a key of your own, a retention policy, expiry, a channel for alerts, an image.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.33"
    }
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 7.33"
    }
  }
}

provider "google" {
  project = var.project
}

provider "google-beta" {
  project = var.project
}

variable "project" {
  description = "Id of the project that gets everything."
  type        = string
}

variable "image" {
  description = "The image, with its digest."
  type        = string
}

variable "kms_key" {
  description = "Full name of a key in europe-west1."
  type        = string
}

resource "google_monitoring_notification_channel" "mail" {
  project      = var.project
  display_name = "Who looks after the archive"
  type         = "email"
  labels       = { email_address = "archive@example.com" }
}

module "archive" {
  source = "../.."

  project = var.project
  region  = "europe-west1"
  name    = "audit"
  package = { image = var.image }
  labels  = { team = "data" }

  streams = {
    orders = {
      topic        = "orders"
      create_topic = true
      ordering     = true
      dead_letters = true
    }
    north = {
      topic                 = "projects/${var.project}/topics/events"
      filter                = "attributes.tenant = \"north\""
      filter_drops_messages = true
      may_rest              = true
    }
  }

  concurrency             = 40
  memory_mib              = 2048
  cpu                     = 2
  max_instances           = 4
  write_timeout_seconds   = 15
  request_timeout_seconds = 60
  ack_deadline_seconds    = 300

  prefix           = "audit/v1"
  kms_key          = var.kms_key
  soft_delete_days = 90
  undeletable_days = 90
  retention_days   = 3650
  # The lock. Once applied, undeletable_days can never be shortened again, and the bucket stays until its last blob is old enough.
  # undeletable_for_good = "nobody can ever shorten or remove this policy"

  notification_channels = [google_monitoring_notification_channel.mail.name]
}

# Who reads, reads this archive only.
resource "google_storage_bucket_iam_member" "readers" {
  bucket = module.archive.bucket
  role   = module.archive.reader_role
  member = "group:auditors@example.com"
}

output "archive" {
  value = module.archive.archive
}
