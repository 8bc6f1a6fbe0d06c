locals {
  packed     = var.package.image == null
  sha256     = var.package.path == null ? var.package.sha256 : filesha256(var.package.path)
  ending     = local.packed ? one(regex("\\.(tar\\.gz|tgz|zip)$", coalesce(var.package.path, var.package.url))) : null
  file       = "persistor-gcp-function-${coalesce(local.sha256, "none")}.${coalesce(local.ending, "none")}"
  downloaded = "${path.root}/.terraform/${local.file}"
}

# The packages: a bucket of its own, since whoever reads packages has no business in the archive.
resource "google_storage_bucket" "package" {
  #checkov:skip=CKV_GCP_62:It holds packages only, which are public
  #checkov:skip=CKV_GCP_78:Names hold the content's digest, so nothing is replaced
  count = local.packed ? 1 : 0

  project                     = var.project
  name                        = "${var.project}-${var.name}-package"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true
  labels                      = var.labels

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.storage]
}

# A release's package, for which there is no other provider. What is not what `sha256` says never gets the name that is uploaded.
resource "terraform_data" "download" {
  count = var.package.url == null ? 0 : 1

  triggers_replace = [var.package.url, var.package.sha256]

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-c"]
    environment = {
      URL    = var.package.url
      SHA256 = var.package.sha256
      FILE   = local.downloaded
    }
    command = <<-SH
      set -eu
      mkdir -p "$(dirname "$FILE")"
      curl --fail --silent --show-error --location --retry 3 --output "$FILE.part" "$URL"
      if command -v sha256sum >/dev/null; then sum=$(sha256sum "$FILE.part"); else sum=$(shasum -a 256 "$FILE.part"); fi
      if [ "$${sum%% *}" != "$SHA256" ]; then
        rm -f "$FILE.part"
        echo "$URL has the SHA-256 $${sum%% *}, not $SHA256" >&2
        exit 1
      fi
      mv "$FILE.part" "$FILE"
    SH
  }
}

# The name holds the digest, so another package is another blob and makes another revision. Old ones stay, so that an old revision can start again.
resource "google_storage_bucket_object" "package" {
  count = local.packed ? 1 : 0

  bucket = google_storage_bucket.package[0].name
  name   = local.file
  source = var.package.path == null ? local.downloaded : var.package.path
  # Where this is set, a download that is not there any more, in a later plan on another machine, is no difference: it is compared with its own last value only.
  source_md5hash  = var.package.url == null ? null : var.package.sha256
  deletion_policy = "ABANDON"

  depends_on = [terraform_data.download]

  lifecycle {
    create_before_destroy = true
  }
}
