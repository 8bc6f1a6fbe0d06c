# Topics apart from each other: a service for each, so that none waits for another. The first two share a bucket, in archives of their own below a prefix;
# the third has a bucket of its own, with other readers and another retention.

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

variable "package" {
  description = "Path of the package."
  type        = string
  default     = "persistor-gcp-function.tar.gz"
}

module "orders" {
  source = "../.."

  project = var.project
  region  = "europe-west1"
  name    = "persistor-orders"
  package = { path = var.package }
  prefix  = "orders"

  streams = {
    orders = { topic = "projects/${var.project}/topics/orders" }
  }
}

module "clicks" {
  source = "../.."

  project = var.project
  region  = "europe-west1"
  name    = "persistor-clicks"
  package = { path = var.package }
  bucket  = module.orders.bucket
  prefix  = "clicks"

  # Many, and small.
  streams         = { clicks = { topic = "projects/${var.project}/topics/clicks" } }
  largest_message = 100000
  concurrency     = 80
  key_template    = "{shard:2}/{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}"

  # The same roles as those of the first.
  recovery_roles = false
}

module "payments" {
  source = "../.."

  project = var.project
  region  = "europe-west1"
  name    = "persistor-payments"
  package = { path = var.package }

  streams        = { payments = { topic = "projects/${var.project}/topics/payments" } }
  retention_days = 400
}

output "archives" {
  value = {
    orders   = module.orders.archive
    clicks   = module.clicks.archive
    payments = module.payments.archive
  }
}
