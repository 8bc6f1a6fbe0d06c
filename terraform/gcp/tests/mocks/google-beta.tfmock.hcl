# What Google computes, well formed, and known in a plan.

mock_resource "google_cloud_run_v2_service" {
  override_during = plan
  defaults = {
    uri = "https://persistor-abcdefghij-ew.a.run.app"
  }
}

override_resource {
  target          = google_project_service_identity.pubsub
  override_during = plan
  values = {
    email  = "service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    member = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_project_service_identity.run
  override_during = plan
  values = {
    email  = "service-123456789012@serverless-robot-prod.iam.gserviceaccount.com"
    member = "serviceAccount:service-123456789012@serverless-robot-prod.iam.gserviceaccount.com"
  }
}
