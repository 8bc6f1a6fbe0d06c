# Three identities, and what each may do: the service stores, the push identity calls the service, and Pub/Sub's agent makes the push identity's tokens.
# Every right is on one resource; none is on the project.

resource "google_service_account" "runtime" {
  project      = var.project
  account_id   = "${var.name}-runtime"
  display_name = "Persistor: stores messages in ${local.archive}"

  depends_on = [google_project_service.this]
}

resource "google_service_account" "push" {
  project      = var.project
  account_id   = "${var.name}-push"
  display_name = "Persistor: the identity with which Pub/Sub pushes"

  depends_on = [google_project_service.this]
}

# To create blobs: neither to read, list, replace nor delete them.
resource "google_storage_bucket_iam_member" "runtime" {
  bucket = var.bucket == null ? google_storage_bucket.archive[0].name : var.bucket
  role   = "roles/storage.objectCreator"
  member = google_service_account.runtime.member
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.this.name
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

resource "google_project_service_identity" "pubsub" {
  provider = google-beta

  project = var.project
  service = "pubsub.googleapis.com"

  depends_on = [google_project_service.this]
}

# Tokens that say who pushes; not access tokens, with which it could act as the push identity.
resource "google_service_account_iam_member" "pubsub_agent" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = google_project_service_identity.pubsub.member
}

# Dead letters, where they are asked for: without both rights nothing is ever moved.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  for_each = local.dead_letters

  project = var.project
  topic   = google_pubsub_topic.dead_letters[each.key].name
  role    = "roles/pubsub.publisher"
  member  = google_project_service_identity.pubsub.member
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = local.dead_letters

  project      = var.project
  subscription = google_pubsub_subscription.this[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = google_project_service_identity.pubsub.member
}

# New topics under a key of one's own.
resource "google_kms_crypto_key_iam_member" "pubsub" {
  count = var.kms_key != null && anytrue([for one in values(var.streams) : one.create_topic || one.dead_letters]) ? 1 : 0

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = google_project_service_identity.pubsub.member
}

# Cloud Run's agent fetches the package.
resource "google_project_service_identity" "run" {
  provider = google-beta
  count    = local.packed ? 1 : 0

  project = var.project
  service = "run.googleapis.com"

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket_iam_member" "run_agent" {
  count = local.packed ? 1 : 0

  bucket = google_storage_bucket.package[0].name
  role   = "roles/storage.objectViewer"
  member = google_project_service_identity.run[0].member
}

# Roles for people and programs that recover. They are given to nobody here.
locals {
  reading = ["storage.objects.get", "storage.objects.list"]
}

resource "google_project_iam_custom_role" "reader" {
  count = var.recovery_roles ? 1 : 0

  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_reader"
  title       = "Persistor reader (${var.name})"
  description = "Lists and reads an archive. Grant it on the archive's bucket."
  permissions = local.reading

  depends_on = [google_project_service.this]
}

resource "google_project_iam_custom_role" "replayer" {
  count = var.recovery_roles ? 1 : 0

  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_replayer"
  title       = "Persistor replayer (${var.name})"
  description = "Reads an archive and publishes what is in it again. Grant it on the archive's bucket and on the topic; on a subscription it finds out its topic."
  permissions = concat(local.reading, ["pubsub.subscriptions.get", "pubsub.topics.publish"])

  depends_on = [google_project_service.this]
}
