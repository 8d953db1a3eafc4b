// What the published descriptions in MACHINE_SPECS_DIR leave out of Resource Manager and the driver
// uses, written from its reference:
//   locations   https://learn.microsoft.com/rest/api/resources/subscriptions/list-locations
//   skus        https://learn.microsoft.com/rest/api/compute/resource-skus/list
//   images      https://learn.microsoft.com/rest/api/compute/images/get
//   operations https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
#ifndef TESTS_FAKES_AZURE_MORE_PATHS_H_
#define TESTS_FAKES_AZURE_MORE_PATHS_H_

namespace machine::fakes {

/// Paths that are in none of them.
inline constexpr char kMoreAzurePaths[] = R"json({
  "openapi": "3.0.0",
  "servers": [{"url": "https://management.azure.com"}],
  "paths": {
    "/subscriptions/{subscriptionId}/locations": {"get": {"parameters": [
      {"$ref": "#/components/parameters/subscription"},
      {"$ref": "#/components/parameters/version"}]}},
    "/subscriptions/{subscriptionId}/providers/Microsoft.Compute/skus": {"get": {"parameters": [
      {"$ref": "#/components/parameters/subscription"},
      {"$ref": "#/components/parameters/version"},
      {"name": "$filter", "in": "query",
       "schema": {"type": "string", "pattern": "^location eq '[a-z0-9]+'$"}}]}},
    "/subscriptions/{subscriptionId}/resourceGroups/{group}/providers/Microsoft.Compute/images/{image}":
      {"get": {"parameters": [
        {"$ref": "#/components/parameters/subscription"},
        {"name": "group", "in": "path", "required": true, "schema": {"type": "string"}},
        {"name": "image", "in": "path", "required": true, "schema": {"type": "string"}},
        {"$ref": "#/components/parameters/version"}]}},
    "/subscriptions/{subscriptionId}/operations/{operation}": {"get": {"parameters": [
      {"$ref": "#/components/parameters/subscription"},
      {"name": "operation", "in": "path", "required": true, "schema": {"type": "string"}},
      {"$ref": "#/components/parameters/version"}]}},
    "/subscriptions/{subscriptionId}/results/{operation}": {"get": {"parameters": [
      {"$ref": "#/components/parameters/subscription"},
      {"name": "operation", "in": "path", "required": true, "schema": {"type": "string"}},
      {"$ref": "#/components/parameters/version"}]}}
  },
  "components": {
    "parameters": {
      "subscription": {"name": "subscriptionId", "in": "path", "required": true,
                       "schema": {"type": "string"}},
      "version": {"name": "api-version", "in": "query", "required": true,
                  "schema": {"type": "string", "pattern": "^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"}}
    }
  }
})json";

/// Merged (RFC 7396) into the description of public addresses, which is older than standard ones.
/// https://learn.microsoft.com/rest/api/virtualnetwork/public-ip-addresses/create-or-update
inline constexpr char kStandardAddresses[] = R"json({
  "definitions": {"PublicIPAddress": {"properties": {
    "sku": {"type": "object", "properties": {
      "name": {"type": "string", "enum": ["Basic", "Standard"]}}},
    "zones": {"type": "array", "items": {"type": "string"}}
  }}}
})json";

/// Merged into the description of networks, which is older than private subnets.
/// https://learn.microsoft.com/azure/templates/microsoft.network/change-log/virtualnetworks/subnets
inline constexpr char kPrivateSubnets[] = R"json({
  "definitions": {"SubnetPropertiesFormat": {"properties": {
    "defaultOutboundAccess": {"type": "boolean"}
  }}}
})json";

/// Added to the parameters of kMachineList: what the description's version has not yet, and what is
/// only in the links to further pages.
/// https://learn.microsoft.com/rest/api/compute/virtual-machines/list-all
inline constexpr char kMachineListParameters[] = R"json([
  {"name": "statusOnly", "in": "query", "schema": {"type": "string"}},
  {"name": "$skiptoken", "in": "query", "schema": {"type": "string"}}
])json";
inline constexpr char kMachineList[] =
    "/subscriptions/{subscriptionId}/providers/Microsoft.Compute/virtualMachines";

}  // namespace machine::fakes

#endif  // TESTS_FAKES_AZURE_MORE_PATHS_H_
