# Several topics, one of them in another project and one of them new, that share a service and a bucket. The package is that of a release.

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

variable "release" {
  description = "Where the release's package is, and its SHA-256."
  type        = object({ url = string, sha256 = string })
}

module "archive" {
  source = "../.."

  project = var.project
  region  = "europe-west1"
  package = var.release

  streams = {
    orders    = { topic = "projects/${var.project}/topics/orders", ordering = true }
    payments  = { topic = "projects/my-bank/topics/payments" }
    shipments = { topic = "shipments", create_topic = true, may_rest = true }
  }

  max_instances = 20
  key_template  = "{shard:2}/{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}"
}

output "archive" {
  value = module.archive.archive
}

output "subscriptions" {
  value = module.archive.subscriptions
}
