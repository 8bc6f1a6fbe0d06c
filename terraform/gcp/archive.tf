locals {
  bucket  = var.bucket == null ? "${var.project}-${var.name}" : var.bucket
  archive = "gs://${local.bucket}${var.prefix == "" ? "" : "/${var.prefix}"}"
}

# The archive. Nothing here deletes a blob but what `retention_days` says, nor a bucket with blobs in it: `force_destroy` is not an input, and the bucket itself goes only after
# `archive_deletion_policy` was changed and applied.
resource "google_storage_bucket" "archive" {
  #checkov:skip=CKV_GCP_62:Access logs are a bucket of their own that grows with every message; Cloud Audit Logs tell who read what where they are switched on
  #checkov:skip=CKV_GCP_78:Nothing ever replaces a blob, since writes are create-only; against deletion there are soft delete and undeletable_days
  count = var.bucket == null ? 1 : 0

  project                     = var.project
  name                        = local.bucket
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  deletion_policy             = var.archive_deletion_policy
  labels                      = var.labels

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  dynamic "retention_policy" {
    for_each = var.undeletable_days[*]
    content {
      retention_period = tostring(retention_policy.value * 86400)
      is_locked        = var.undeletable_for_good != ""
    }
  }

  # The custom time of a message's blobs is its publish time. The layout's own document has none, so it never expires.
  dynamic "lifecycle_rule" {
    for_each = var.retention_days[*]
    content {
      action {
        type = "Delete"
      }
      condition {
        days_since_custom_time = lifecycle_rule.value
      }
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.storage]
}

# The buckets' agent. It is read while planning, so the Storage API must be on before; in a new project it is.
data "google_storage_project_service_account" "this" {
  count = var.kms_key != null && (var.bucket == null || local.packed) ? 1 : 0

  project = var.project
}

resource "google_kms_crypto_key_iam_member" "storage" {
  count = var.kms_key != null && (var.bucket == null || local.packed) ? 1 : 0

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.this[0].member

  depends_on = [google_project_service.this]
}
