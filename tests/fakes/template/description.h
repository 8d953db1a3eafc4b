// The description of the provider's API. A provider that publishes one needs no such file: it is
// read from MACHINE_SPECS_DIR, as tests/fakes/digitalocean does.
#ifndef TESTS_FAKES_TEMPLATE_DESCRIPTION_H_
#define TESTS_FAKES_TEMPLATE_DESCRIPTION_H_

namespace machine::fakes {

inline constexpr char kTemplateDescription[] = R"json({
  "openapi": "3.0.0",
  "paths": {
    "/v1/regions": {"get": {"parameters": [{"$ref": "#/components/parameters/limit"},
                                           {"$ref": "#/components/parameters/page"}]}},
    "/v1/sizes": {"get": {"parameters": [{"$ref": "#/components/parameters/limit"},
                                         {"$ref": "#/components/parameters/page"}]}},
    "/v1/images": {"get": {"parameters": [{"$ref": "#/components/parameters/limit"},
                                          {"$ref": "#/components/parameters/page"}]}},
    "/v1/instances": {
      "get": {"parameters": [{"$ref": "#/components/parameters/limit"},
                             {"$ref": "#/components/parameters/page"},
                             {"name": "tag", "in": "query", "schema": {"type": "string"}}]},
      "post": {"requestBody": {"required": true, "content": {"application/json": {"schema": {
        "type": "object",
        "required": ["name", "region", "size", "image"],
        "properties": {
          "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
          "region": {"type": "string"},
          "size": {"type": "string"},
          "image": {"type": "string"},
          "public_key": {"type": "string"},
          "user_data": {"type": "string"},
          "tags": {"type": "array", "items": {"type": "string"}}}}}}}}
    },
    "/v1/instances/{id}": {
      "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
      "get": {}, "delete": {}
    },
    "/v1/instances/{id}/{verb}": {
      "parameters": [
        {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
        {"name": "verb", "in": "path", "required": true,
         "schema": {"type": "string", "enum": ["start", "stop", "kill", "reboot"]}}],
      "post": {}
    }
  },
  "components": {
    "parameters": {
      "limit": {"name": "limit", "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
      "page": {"name": "page", "in": "query", "schema": {"type": "string"}}
    }
  }
})json";

}  // namespace machine::fakes

#endif  // TESTS_FAKES_TEMPLATE_DESCRIPTION_H_
