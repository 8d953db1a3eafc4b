// What the published description in MACHINE_SPECS_DIR leaves out of Exoscale's API and the driver
// uses (anti-affinity groups, private networks), written from what the driver needs. It has not
// been compared with the vendor's reference: a test that passes here shows that the driver sends
// what we believe to be right, no more.
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
