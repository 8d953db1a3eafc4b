// What the published description in MACHINE_SPECS_DIR leaves out of Compute Engine's API and the
// driver uses, written from the API's reference:
//   networks   https://cloud.google.com/compute/docs/reference/rest/v1/networks/list
//   images     https://cloud.google.com/compute/docs/reference/rest/v1/images/list
//   diskTypes  https://cloud.google.com/compute/docs/reference/rest/v1/diskTypes/list
#ifndef TESTS_FAKES_GOOGLE_MORE_PATHS_H_
#define TESTS_FAKES_GOOGLE_MORE_PATHS_H_

namespace machine::fakes {

inline constexpr char kMoreGooglePaths[] = R"json({
  "openapi": "3.0.0",
  "servers": [{"url": "https://compute.googleapis.com/compute/v1"}],
  "paths": {
    "/projects/{project}/global/networks": {"get": {"parameters": [
      {"$ref": "#/components/parameters/project"},
      {"$ref": "#/components/parameters/maxResults"},
      {"$ref": "#/components/parameters/pageToken"}]}},
    "/projects/{project}/global/images": {"get": {"parameters": [
      {"$ref": "#/components/parameters/project"},
      {"$ref": "#/components/parameters/maxResults"},
      {"$ref": "#/components/parameters/pageToken"}]}},
    "/projects/{project}/zones/{zone}/diskTypes": {"get": {"parameters": [
      {"$ref": "#/components/parameters/project"},
      {"name": "zone", "in": "path", "required": true, "schema": {"type": "string"}},
      {"$ref": "#/components/parameters/maxResults"},
      {"$ref": "#/components/parameters/pageToken"}]}}
  },
  "components": {
    "parameters": {
      "project": {"name": "project", "in": "path", "required": true,
                  "schema": {"type": "string"}},
      "maxResults": {"name": "maxResults", "in": "query",
                     "schema": {"type": "integer", "minimum": 0, "maximum": 500}},
      "pageToken": {"name": "pageToken", "in": "query", "schema": {"type": "string"}}
    }
  }
})json";

}  // namespace machine::fakes

#endif  // TESTS_FAKES_GOOGLE_MORE_PATHS_H_
