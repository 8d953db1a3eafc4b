// What the published description in MACHINE_SPECS_DIR leaves out of Exoscale's API and the driver
// uses (anti-affinity groups, private networks). Paths, methods and fields are those of the whole
// description, https://openapi-v2.exoscale.com/source.json, as clients generated from it have them
// (egoscale's v3/operations.go and exoscale-rs's AntiAffinityGroupApi.md and PrivateNetworkApi.md,
// read in November 2026); the lengths are from the reference of other names there.
#ifndef TESTS_FAKES_EXOSCALE_MORE_PATHS_H_
#define TESTS_FAKES_EXOSCALE_MORE_PATHS_H_

namespace machine::fakes {

inline constexpr char kMoreExoscalePaths[] = R"json({
  "openapi": "3.0.0",
  "servers": [{"url": "https://api-ch-gva-2.exoscale.com/v2"}],
  "paths": {
    "/anti-affinity-group": {
      "get": {},
      "post": {"requestBody": {"required": true, "content": {"application/json": {"schema": {
        "type": "object", "required": ["name"], "properties": {
          "name": {"type": "string", "minLength": 1, "maxLength": 255},
          "description": {"type": "string", "maxLength": 255}}}}}}}
    },
    "/anti-affinity-group/{id}": {"delete": {"parameters": [{"$ref": "#/components/parameters/id"}]}},
    "/private-network": {"get": {}},
    "/private-network/{id}": {"get": {"parameters": [{"$ref": "#/components/parameters/id"}]}},
    "/private-network/{id}:attach": {"put": {
      "parameters": [{"$ref": "#/components/parameters/id"}],
      "requestBody": {"required": true, "content": {"application/json": {"schema": {
        "type": "object", "required": ["instance"], "properties": {
          "ip": {"type": "string", "format": "ipv4"},
          "instance": {"type": "object", "required": ["id"], "properties": {
            "id": {"type": "string", "format": "uuid"}}}}}}}}}}
  },
  "components": {
    "parameters": {
      "id": {"name": "id", "in": "path", "required": true,
             "schema": {"type": "string", "format": "uuid"}}
    }
  }
})json";

}  // namespace machine::fakes

#endif  // TESTS_FAKES_EXOSCALE_MORE_PATHS_H_
