// What the description in MACHINE_SPECS_DIR leaves out of DigitalOcean's and the driver uses: VPCs,
// firewalls, the deletion of a tag. Written from the vendor's own, github.com/digitalocean/openapi,
// folder specification: resources/firewalls/firewalls_create.yml, delete_firewall.yml,
// list_firewalls.yml, models/firewall.yml and models/firewall_rule.yml;
// resources/vpcs/list_vpcs.yml; resources/tags/tags_delete.yml and parameters.yml;
// shared/parameters.yml. Left out is what only answers have. One thing differs: the pattern of a
// tag there was without the digit 0, as its text and the other patterns of tags are not.
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
       "schema": {"type": "string", "maxLength": 255, "pattern": "^[a-zA-Z0-9_\\-:]+$"}}]}},
    "/v2/firewalls": {
      "get": {"parameters": [{"$ref": "#/components/parameters/page"},
                             {"$ref": "#/components/parameters/per_page"}]},
      "post": {"requestBody": {"content": {"application/json": {
        "schema": {"allOf": [
          {"$ref": "#/components/schemas/firewall"},
          {"anyOf": [{"required": ["inbound_rules"]}, {"required": ["outbound_rules"]}]}]}}}}}
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
        "load_balancer_uids": {"type": "array", "items": {"type": "string"}},
        "kubernetes_ids": {"type": "array", "items": {"type": "string"}},
        "tags": {"type": "array", "items": {"type": "string"}}}},
      "rule": {"type": "object", "required": ["protocol", "ports"], "properties": {
        "protocol": {"type": "string", "enum": ["tcp", "udp", "icmp"]},
        "ports": {"type": "string"},
        "action": {"type": "string", "enum": ["allow", "deny"]}}},
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
