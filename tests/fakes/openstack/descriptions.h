// What OpenStack's services accept of what drivers send, after the schemas in Nova's, Keystone's
// and Cinder's sources and the api-ref of Neutron and Glance, which refuse what they do not know.
// Written by hand: OpenStack publishes no description of this kind.
#ifndef TESTS_FAKES_OPENSTACK_DESCRIPTIONS_H_
#define TESTS_FAKES_OPENSTACK_DESCRIPTIONS_H_

namespace machine::fakes {

inline constexpr char kIdentityDescription[] = R"json({
  "openapi": "3.0.0", "servers": [{"url": "BASE"}],
  "paths": {
    "/": {"get": {}},
    "/v3/auth/projects": {"get": {}},
    "/v3/auth/tokens": {"get": {}, "post": {"requestBody": {"required": true, "content": {"application/json": {
      "schema": {"type": "object", "required": ["auth"], "properties": {
        "auth": {"type": "object", "required": ["identity"], "properties": {
          "identity": {"type": "object", "required": ["methods"], "properties": {
            "methods": {"type": "array", "items": {"type": "string",
              "enum": ["password", "token", "application_credential"]}},
            "password": {"type": "object", "required": ["user"], "properties": {
              "user": {"$ref": "#/components/schemas/user"}}},
            "token": {"type": "object", "required": ["id"], "properties": {
              "id": {"type": "string", "minLength": 1}}},
            "application_credential": {"type": "object", "required": ["secret"], "properties": {
              "id": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1},
              "secret": {"type": "string", "minLength": 1},
              "user": {"$ref": "#/components/schemas/user"}}}}},
          "scope": {"type": "object", "required": ["project"], "properties": {
            "project": {"type": "object", "properties": {
              "id": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1},
              "domain": {"$ref": "#/components/schemas/domain"}}}}}}}}}}}}}}
  },
  "components": {"schemas": {
    "domain": {"type": "object", "properties": {
      "id": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1}}},
    "user": {"type": "object", "properties": {
      "id": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1},
      "password": {"type": "string"}, "domain": {"$ref": "#/components/schemas/domain"}}}}}
})json";

// Identity v2.0 of Rackspace.
inline constexpr char kIdentityV2Description[] = R"json({
  "openapi": "3.0.0", "servers": [{"url": "BASE"}],
  "paths": {
    "/tokens": {"post": {"requestBody": {"required": true, "content": {"application/json": {
      "schema": {"type": "object", "required": ["auth"], "properties": {
        "auth": {"type": "object", "required": ["RAX-KSKEY:apiKeyCredentials"], "properties": {
          "RAX-KSKEY:apiKeyCredentials": {"type": "object", "required": ["username", "apiKey"],
            "properties": {"username": {"type": "string", "minLength": 1},
                           "apiKey": {"type": "string", "minLength": 1}}}}}}}}}}}}
  }
})json";

inline constexpr char kComputeDescription[] = R"json({
  "openapi": "3.0.0", "servers": [{"url": "BASE"}],
  "paths": {
    "/": {"get": {}},
    "/servers/detail": {"get": {"parameters": [
      {"name": "tags", "in": "query", "schema": {"type": "string", "pattern": "^[^/]{1,180}$"}},
      {"$ref": "#/components/parameters/marker"}]}},
    "/servers": {"post": {"requestBody": {"required": true, "content": {"application/json": {
      "schema": {"type": "object", "required": ["server"], "properties": {
        "server": {"type": "object", "required": ["name", "flavorRef"], "properties": {
          "name": {"$ref": "#/components/schemas/name"},
          "imageRef": {"type": "string", "minLength": 1},
          "flavorRef": {"type": "string", "minLength": 1, "maxLength": 255},
          "key_name": {"$ref": "#/components/schemas/name"},
          "availability_zone": {"$ref": "#/components/schemas/name"},
          "config_drive": {"type": "boolean"},
          "metadata": {"type": "object", "additionalProperties": {"type": "string",
                                                                  "maxLength": 255}},
          "tags": {"type": "array", "maxItems": 50, "items": {"type": "string", "minLength": 1,
            "maxLength": 60, "pattern": "^[^,/]*$"}},
          "user_data": {"type": "string", "maxLength": 65535,
            "pattern": "^[A-Za-z0-9+/]*={0,2}$"},
          "networks": {"oneOf": [
            {"type": "array", "items": {"type": "object", "properties": {
              "port": {"$ref": "#/components/schemas/uuid"},
              "uuid": {"$ref": "#/components/schemas/uuid"}}}},
            {"type": "string", "enum": ["auto", "none"]}]},
          "block_device_mapping_v2": {"type": "array", "items": {"type": "object", "properties": {
            "boot_index": {"type": "integer"},
            "source_type": {"type": "string", "enum": ["volume", "image", "snapshot", "blank"]},
            "destination_type": {"type": "string", "enum": ["local", "volume"]},
            "uuid": {"type": "string", "pattern": "^[a-zA-Z0-9._-]*$"},
            "volume_size": {"type": "integer"},
            "delete_on_termination": {"type": "boolean"}}}}}}}}}}}}},
    "/servers/{id}": {"parameters": [{"$ref": "#/components/parameters/id"}],
                      "get": {}, "delete": {}},
    "/servers/{id}/action": {"parameters": [{"$ref": "#/components/parameters/id"}],
      "post": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"type": "object", "properties": {
          "os-start": {"nullable": true, "type": "object", "maxProperties": 0},
          "os-stop": {"nullable": true, "type": "object", "maxProperties": 0},
          "pause": {"nullable": true, "type": "object", "maxProperties": 0},
          "unpause": {"nullable": true, "type": "object", "maxProperties": 0},
          "resume": {"nullable": true, "type": "object", "maxProperties": 0},
          "unshelve": {"nullable": true, "type": "object", "maxProperties": 0},
          "reboot": {"type": "object", "required": ["type"], "properties": {
            "type": {"type": "string", "enum": ["HARD", "SOFT"]}}}}}}}}}},
    "/flavors/detail": {"get": {"parameters": [{"$ref": "#/components/parameters/marker"}]}},
    "/os-availability-zone": {"get": {}},
    "/limits": {"get": {}},
    "/os-keypairs": {
      "get": {"parameters": [{"$ref": "#/components/parameters/marker"}]},
      "post": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"type": "object", "required": ["keypair"], "properties": {
          "keypair": {"type": "object", "required": ["name", "public_key"], "properties": {
            "name": {"type": "string", "pattern": "^[A-Za-z0-9 _-]{1,255}$"},
            "type": {"type": "string", "enum": ["ssh", "x509"]},
            "public_key": {"type": "string"}}}}}}}}}},
    "/os-keypairs/{name}": {"parameters": [
      {"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}],
      "get": {}, "delete": {}}
  },
  "components": {
    "parameters": {
      "id": {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
      "marker": {"name": "marker", "in": "query", "schema": {"type": "string"}}},
    "schemas": {
      "name": {"type": "string", "minLength": 1, "maxLength": 255},
      "uuid": {"type": "string", "pattern": "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"}}}
})json";

inline constexpr char kNetworkDescription[] = R"json({
  "openapi": "3.0.0", "servers": [{"url": "BASE"}],
  "paths": {
    "/networks": {"get": {"parameters": [{"$ref": "#/components/parameters/marker"}]}},
    "/ports": {
      "get": {"parameters": [{"$ref": "#/components/parameters/marker"},
                             {"$ref": "#/components/parameters/project"},
                             {"name": "name", "in": "query", "schema": {"type": "string"}}]},
      "post": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"type": "object", "required": ["port"], "properties": {
          "port": {"type": "object", "required": ["network_id"], "properties": {
            "name": {"type": "string", "maxLength": 255},
            "network_id": {"$ref": "#/components/schemas/uuid"},
            "security_groups": {"type": "array",
                                "items": {"$ref": "#/components/schemas/uuid"}}}}}}}}}}},
    "/ports/{id}": {"parameters": [{"$ref": "#/components/parameters/id"}], "delete": {}},
    "/security-groups": {
      "get": {"parameters": [{"$ref": "#/components/parameters/marker"},
                             {"$ref": "#/components/parameters/project"}]},
      "post": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"type": "object", "required": ["security_group"], "properties": {
          "security_group": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "maxLength": 255},
            "description": {"type": "string", "maxLength": 255}}}}}}}}}},
    "/security-groups/{id}": {"parameters": [{"$ref": "#/components/parameters/id"}],
                              "delete": {}},
    "/security-group-rules": {"post": {"requestBody": {"required": true, "content": {
      "application/json": {"schema": {"type": "object", "required": ["security_group_rule"],
        "properties": {"security_group_rule": {"type": "object",
          "required": ["security_group_id", "direction"], "properties": {
            "security_group_id": {"$ref": "#/components/schemas/uuid"},
            "direction": {"type": "string", "enum": ["ingress", "egress"]},
            "ethertype": {"type": "string", "enum": ["IPv4", "IPv6"]},
            "protocol": {"type": "string", "enum": ["tcp", "udp", "icmp"]},
            "port_range_min": {"type": "integer", "minimum": 1, "maximum": 65535},
            "port_range_max": {"type": "integer", "minimum": 1, "maximum": 65535},
            "remote_ip_prefix": {"type": "string", "pattern": "^[0-9a-f.:]+/[0-9]+$"}}}}}}}}}},
    "/floatingips": {
      "get": {"parameters": [{"$ref": "#/components/parameters/marker"},
                             {"$ref": "#/components/parameters/project"}]},
      "post": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"type": "object", "required": ["floatingip"], "properties": {
          "floatingip": {"type": "object", "required": ["floating_network_id"], "properties": {
            "floating_network_id": {"$ref": "#/components/schemas/uuid"},
            "port_id": {"$ref": "#/components/schemas/uuid"},
            "description": {"type": "string", "maxLength": 255}}}}}}}}}},
    "/floatingips/{id}": {"parameters": [{"$ref": "#/components/parameters/id"}],
      "delete": {},
      "put": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"type": "object", "required": ["floatingip"], "properties": {
          "floatingip": {"type": "object", "properties": {
            "port_id": {"$ref": "#/components/schemas/uuid"}}}}}}}}}}
  },
  "components": {
    "parameters": {
      "id": {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
      "project": {"name": "project_id", "in": "query", "schema": {"type": "string"}},
      "marker": {"name": "marker", "in": "query", "schema": {"type": "string"}}},
    "schemas": {
      "uuid": {"type": "string", "pattern": "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"}}}
})json";

inline constexpr char kImageDescription[] = R"json({
  "openapi": "3.0.0", "servers": [{"url": "BASE"}],
  "paths": {
    "/images": {"get": {"parameters": [
      {"name": "status", "in": "query", "schema": {"type": "string", "enum": ["active"]}},
      {"name": "name", "in": "query", "schema": {"type": "string"}},
      {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}},
      {"name": "marker", "in": "query", "schema": {"type": "string"}}]}},
    "/images/{id}": {"parameters": [
      {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}], "get": {}}
  }
})json";

inline constexpr char kVolumeDescription[] = R"json({
  "openapi": "3.0.0", "servers": [{"url": "BASE"}],
  "paths": {
    "/volumes/detail": {"get": {"parameters": [
      {"name": "name", "in": "query", "schema": {"type": "string"}},
      {"name": "marker", "in": "query", "schema": {"type": "string"}}]}},
    "/volumes": {"post": {"requestBody": {"required": true, "content": {"application/json": {
      "schema": {"type": "object", "required": ["volume"], "properties": {
        "volume": {"type": "object", "required": ["size"], "properties": {
          "name": {"type": "string", "maxLength": 255},
          "size": {"type": "integer", "minimum": 1},
          "imageRef": {"type": "string", "minLength": 1},
          "volume_type": {"type": "string", "minLength": 1},
          "availability_zone": {"type": "string"},
          "metadata": {"type": "object", "additionalProperties": {"type": "string",
                                                                  "maxLength": 255}}}}}}}}}}},
    "/volumes/{id}": {"parameters": [
      {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
      "delete": {}},
    "/types": {"get": {"parameters": [
      {"name": "marker", "in": "query", "schema": {"type": "string"}}]}}
  }
})json";

}  // namespace machine::fakes

#endif  // TESTS_FAKES_OPENSTACK_DESCRIPTIONS_H_
