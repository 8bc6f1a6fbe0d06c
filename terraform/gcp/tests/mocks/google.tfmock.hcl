# What Google computes, well formed, and known in a plan.

mock_resource "google_storage_bucket_object" {
  override_during = plan
  defaults = {
    generation = 1234567890
  }
}

mock_resource "google_project_iam_custom_role" {
  override_during = plan
  defaults = {
    name = "projects/my-project/roles/persistor_any"
  }
}

mock_resource "google_monitoring_alert_policy" {
  override_during = plan
  defaults = {
    name = "projects/my-project/alertPolicies/1"
  }
}

mock_data "google_storage_project_service_account" {
  override_during = plan
  defaults = {
    email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    member        = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.runtime
  override_during = plan
  values = {
    email  = "persistor-runtime@my-project.iam.gserviceaccount.com"
    member = "serviceAccount:persistor-runtime@my-project.iam.gserviceaccount.com"
    name   = "projects/my-project/serviceAccounts/persistor-runtime@my-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.push
  override_during = plan
  values = {
    email  = "persistor-push@my-project.iam.gserviceaccount.com"
    member = "serviceAccount:persistor-push@my-project.iam.gserviceaccount.com"
    name   = "projects/my-project/serviceAccounts/persistor-push@my-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_pubsub_topic.this
  override_during = plan
  values = {
    id = "projects/my-project/topics/made-here"
  }
}

override_resource {
  target          = google_pubsub_topic.dead_letters
  override_during = plan
  values = {
    id = "projects/my-project/topics/dead-letters-made-here"
  }
}
