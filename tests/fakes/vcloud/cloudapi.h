// What a request to Cloud Director's OpenAPI must look like. No description of it is among the
// published ones at hand, so that this is our own writing, after the public reference of 37.2
// (https://developer.broadcom.com/xapis/vmware-cloud-director-api/v37.2/): paths, parameters, names
// and values of properties are as there. Which properties a request must have is ours where the
// reference calls them optional and a rule without them would let in too much.
#ifndef TESTS_FAKES_VCLOUD_CLOUDAPI_H_
#define TESTS_FAKES_VCLOUD_CLOUDAPI_H_

namespace machine::fakes {

inline constexpr char kCloudApiDescription[] = R"json({
  "openapi": "3.0.0",
  "servers": [{"url": "https://vcd.example.com/cloudapi/1.0.0"}],
  "paths": {
    "/sessions": {"post": {}},
    "/edgeGateways": {"get": {"parameters": [
      {"$ref": "#/components/parameters/page"}, {"$ref": "#/components/parameters/pageSize"},
      {"$ref": "#/components/parameters/filter"}]}},
    "/edgeGateways/{gatewayId}": {
      "parameters": [{"$ref": "#/components/parameters/gateway"}], "get": {}},
    "/edgeGateways/{gatewayId}/nat/rules": {
      "parameters": [{"$ref": "#/components/parameters/gateway"}],
      "get": {"parameters": [{"$ref": "#/components/parameters/pageSize"},
                             {"$ref": "#/components/parameters/cursor"}]},
      "post": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"$ref": "#/components/schemas/EdgeNatRule"}}}}}},
    "/edgeGateways/{gatewayId}/nat/rules/{ruleId}": {
      "parameters": [{"$ref": "#/components/parameters/gateway"},
                     {"$ref": "#/components/parameters/rule"}],
      "delete": {}},
    "/edgeGateways/{gatewayId}/firewall/rules": {
      "parameters": [{"$ref": "#/components/parameters/gateway"}],
      "get": {},
      "put": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"type": "object", "required": ["userDefinedRules"], "properties": {
          "userDefinedRules": {"type": "array", "items": {
            "$ref": "#/components/schemas/EdgeFirewallRule"}}}}}}}}},
    "/edgeGateways/{gatewayId}/firewall/rules/{ruleId}": {
      "parameters": [{"$ref": "#/components/parameters/gateway"},
                     {"$ref": "#/components/parameters/rule"}],
      "delete": {}},
    "/firewallGroups/summaries": {"get": {"parameters": [
      {"$ref": "#/components/parameters/page"}, {"$ref": "#/components/parameters/pageSize"},
      {"$ref": "#/components/parameters/filter"}]}},
    "/firewallGroups": {"post": {"requestBody": {"required": true, "content": {
      "application/json": {"schema": {"$ref": "#/components/schemas/FirewallGroup"}}}}}},
    "/firewallGroups/{groupId}": {
      "parameters": [{"name": "groupId", "in": "path", "required": true, "schema": {
        "type": "string", "pattern": "^urn:vcloud:firewallGroup:"}}],
      "get": {},
      "put": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"$ref": "#/components/schemas/FirewallGroup"}}}}},
      "delete": {}},
    "/applicationPortProfiles": {
      "get": {"parameters": [
        {"$ref": "#/components/parameters/page"}, {"$ref": "#/components/parameters/pageSize"},
        {"$ref": "#/components/parameters/filter"}]},
      "post": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"$ref": "#/components/schemas/ApplicationPortProfile"}}}}}},
    "/applicationPortProfiles/{profileId}": {
      "parameters": [{"name": "profileId", "in": "path", "required": true, "schema": {
        "type": "string", "pattern": "^urn:vcloud:applicationPortProfile:"}}],
      "delete": {}}
  },
  "components": {
    "parameters": {
      "gateway": {"name": "gatewayId", "in": "path", "required": true, "schema": {
        "type": "string", "pattern": "^urn:vcloud:gateway:[0-9a-f-]{36}$"}},
      "rule": {"name": "ruleId", "in": "path", "required": true, "schema": {
        "type": "string", "pattern": "^[0-9a-f-]{36}$"}},
      "page": {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1}},
      "pageSize": {"name": "pageSize", "in": "query", "required": true, "schema": {
        "type": "integer", "minimum": 1, "maximum": 128}},
      "cursor": {"name": "cursor", "in": "query", "schema": {"type": "string"}},
      "filter": {"name": "filter", "in": "query", "schema": {
        "type": "string", "pattern": "^[A-Za-z_.]+==[^;]+(;[A-Za-z_.]+==[^;]+)*$"}}
    },
    "schemas": {
      "EntityReference": {"type": "object", "required": ["id"], "properties": {
        "name": {"type": "string"},
        "id": {"type": "string", "pattern": "^urn:vcloud:[A-Za-z]+:[0-9a-f-]{36}$"}}},
      "ObjectVersion": {"type": "object", "properties": {"version": {"type": "integer"}}},
      "EdgeNatRule": {"type": "object",
        "required": ["name", "enabled", "type", "externalAddresses", "internalAddresses",
                     "firewallMatch"],
        "properties": {
          "id": {"type": "string"},
          "name": {"type": "string", "minLength": 1},
          "description": {"type": "string"},
          "enabled": {"type": "boolean"},
          "type": {"type": "string", "enum": ["SNAT", "DNAT", "NO_SNAT", "NO_DNAT", "REFLEXIVE"]},
          "applicationPortProfile": {"$ref": "#/components/schemas/EntityReference"},
          "externalAddresses": {"type": "string", "pattern": "^[0-9.]+(/[0-9]+)?$"},
          "internalAddresses": {"type": "string", "pattern": "^[0-9.]+(/[0-9]+)?$"},
          "dnatExternalPort": {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"},
          "logging": {"type": "boolean"},
          "snatDestinationAddresses": {"type": "string"},
          "firewallMatch": {"type": "string",
            "enum": ["MATCH_INTERNAL_ADDRESS", "MATCH_EXTERNAL_ADDRESS", "BYPASS"]},
          "priority": {"type": "integer"},
          "version": {"$ref": "#/components/schemas/ObjectVersion"}}},
      "EdgeFirewallRule": {"type": "object",
        "required": ["name", "enabled", "actionValue", "ipProtocol", "direction"],
        "properties": {
          "id": {"type": "string"},
          "name": {"type": "string", "minLength": 1},
          "description": {"type": "string"},
          "enabled": {"type": "boolean"},
          "action": {"type": "string", "enum": ["ALLOW", "DROP"]},
          "actionValue": {"type": "string", "enum": ["ALLOW", "DROP", "REJECT"]},
          "ipProtocol": {"type": "string", "enum": ["IPV4", "IPV6", "IPV4_IPV6"]},
          "direction": {"type": "string", "enum": ["IN", "OUT", "IN_OUT"]},
          "logging": {"type": "boolean"},
          "comments": {"type": "string", "maxLength": 2048},
          "sourceFirewallGroups": {"type": "array",
            "items": {"$ref": "#/components/schemas/EntityReference"}},
          "destinationFirewallGroups": {"type": "array",
            "items": {"$ref": "#/components/schemas/EntityReference"}},
          "applicationPortProfiles": {"type": "array",
            "items": {"$ref": "#/components/schemas/EntityReference"}},
          "networkContextProfiles": {"type": "array",
            "items": {"$ref": "#/components/schemas/EntityReference"}},
          "version": {"$ref": "#/components/schemas/ObjectVersion"}}},
      "FirewallGroup": {"type": "object",
        "required": ["name", "typeValue", "ipAddresses", "ownerRef"],
        "properties": {
          "id": {"type": "string"},
          "name": {"type": "string", "minLength": 1},
          "description": {"type": "string"},
          "typeValue": {"type": "string", "enum": ["IP_SET", "STATIC_MEMBERS", "VM_CRITERIA"]},
          "ipAddresses": {"type": "array", "minItems": 1, "items": {
            "type": "string", "pattern": "^[0-9.]+(/[0-9]+|-[0-9.]+)?$"}},
          "orgRef": {"$ref": "#/components/schemas/EntityReference"},
          "ownerRef": {"$ref": "#/components/schemas/EntityReference"},
          "networkProviderScope": {"type": "string"},
          "status": {"type": "string"}}},
      "ApplicationPortProfile": {"type": "object",
        "required": ["name", "scope", "orgRef", "contextEntityId", "applicationPorts"],
        "properties": {
          "id": {"type": "string"},
          "name": {"type": "string", "minLength": 1},
          "description": {"type": "string"},
          "scope": {"type": "string", "enum": ["TENANT"]},
          "orgRef": {"$ref": "#/components/schemas/EntityReference"},
          "contextEntityId": {"type": "string",
            "pattern": "^urn:vcloud:(vdc|vdcGroup):[0-9a-f-]{36}$"},
          "applicationPorts": {"type": "array", "minItems": 1, "items": {"type": "object",
            "required": ["protocol"], "properties": {
              "name": {"type": "string"},
              "protocol": {"type": "string", "enum": ["TCP", "UDP", "ICMPv4", "ICMPv6"]},
              "destinationPorts": {"type": "array", "items": {
                "type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"}}}}}}}
    }
  }
})json";

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VCLOUD_CLOUDAPI_H_
