mock_resource "azapi_resource" {
  defaults = {
    id     = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive/providers/Microsoft.Web/sites/contoso-orders-archive"
    output = { properties = { defaultHostName = "contoso-orders-archive.azurewebsites.net" } }
  }
}
