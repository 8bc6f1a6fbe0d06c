terraform {
  # Validations here compare one variable with another.
  required_version = ">= 1.9"

  required_providers {
    # `deletion_policy` on every resource came with 7.33.
    google = {
      source  = "hashicorp/google"
      version = "~> 7.33"
    }
    # Running a package without an image, and the platform's own agents, are known to google-beta only.
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 7.33"
    }
  }
}
