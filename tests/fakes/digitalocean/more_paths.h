// What the published description in MACHINE_SPECS_DIR leaves out of DigitalOcean's API and the
// driver uses (VPCs, firewalls, the deletion of a tag), written from what the driver needs. It has
// not been compared with the vendor's reference: a test that passes here shows that the driver
// sends what we believe to be right, no more.
#ifndef TESTS_FAKES_DIGITALOCEAN_MORE_PATHS_H_
#define TESTS_FAKES_DIGITALOCEAN_MORE_PATHS_H_

namespace machine::fakes {

inline constexpr char kMoreDigitalOceanPaths[] = R"json({
  "openapi": "3.0.0",
  "paths": {
    "/v2/vpcs": {"get": {"parameters": [{"$ref": "#/components/parameters/page"},
                                        {"$ref": "#/components/parameters/per_page"}]}},
    "/v2/tags/{tag_id}": {"delete": {"parameters": [
      {"name": "tag_id", "in": "path", "required": true,
       "schema": {"type": "string", "pattern": "^[a-zA-Z0-9_\\-:]+$"}}]}},
    "/v2/firewalls": {
      "get": {"parameters": [{"$ref": "#/components/parameters/page"},
                             {"$ref": "#/components/parameters/per_page"}]},
      "post": {"requestBody": {"content": {"application/json": {
        "schema": {"$ref": "#/components/schemas/firewall"}}}}}
    },
    "/v2/firewalls/{firewall_id}": {"delete": {"parameters": [
      {"name": "firewall_id", "in": "path", "required": true, "schema": {"type": "string"}}]}}
  },
  "components": {
    "parameters": {
      "page": {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1}},
      "per_page": {"name": "per_page", "in": "query",
                   "schema": {"type": "integer", "minimum": 1, "maximum": 200}}
    },
    "schemas": {
      "peer": {"type": "object", "properties": {
        "addresses": {"type": "array", "items": {"type": "string"}},
        "droplet_ids": {"type": "array", "items": {"type": "integer"}},
        "tags": {"type": "array", "items": {"type": "string"}}}},
      "rule": {"type": "object", "required": ["protocol", "ports"], "properties": {
        "protocol": {"type": "string", "enum": ["tcp", "udp", "icmp"]},
        "ports": {"type": "string"}}},
      "firewall": {"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string", "pattern": "^[a-zA-Z0-9][a-zA-Z0-9\\.-]+$"},
        "droplet_ids": {"type": "array", "items": {"type": "integer"}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "inbound_rules": {"type": "array", "items": {"allOf": [
          {"$ref": "#/components/schemas/rule"},
          {"type": "object", "required": ["sources"],
           "properties": {"sources": {"$ref": "#/components/schemas/peer"}}}]}},
        "outbound_rules": {"type": "array", "items": {"allOf": [
          {"$ref": "#/components/schemas/rule"},
          {"type": "object", "required": ["destinations"],
           "properties": {"destinations": {"$ref": "#/components/schemas/peer"}}}]}}}}
    }
  }
})json";

}  // namespace machine::fakes

#endif  // TESTS_FAKES_DIGITALOCEAN_MORE_PATHS_H_
