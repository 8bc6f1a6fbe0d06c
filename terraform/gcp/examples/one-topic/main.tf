# One existing topic, and nothing said but where it is and where the package is.

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

module "archive" {
  source = "../.."

  project = var.project
  region  = "europe-west1"
  package = { path = var.package }

  streams = {
    orders = { topic = "projects/${var.project}/topics/orders" }
  }
}

output "archive" {
  value = module.archive.archive
}

output "try_it" {
  value = module.archive.try_it["orders"]
}

output "look" {
  value = module.archive.look
}
