#include "drivers/digitalocean/digitalocean_api.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/status/status.h"

namespace machine::driver::digitalocean {
namespace {

// 5,000 requests an hour, 250 of them in any minute, by section "Rate Limit" of
// specification/description.yml in the vendor's description, github.com/digitalocean/openapi. It
// allows ten lists of ssh keys a minute besides: the driver reads one only where there is no way
// round it.
constexpr double kRequestsPerSecond = 250.0 / 60;
constexpr double kBurst = 250;
constexpr absl::Duration kLongestRest = absl::Minutes(1);
constexpr int kPageSize = 200;

// The header says when the oldest request of the hour stops to count.
void HeedRateLimit(common::TokenBucket& limit, const common::HttpResponse& response) {
  int64_t remaining = 0;
  int64_t reset = 0;
  if (!absl::SimpleAtoi(response.headers.Get("ratelimit-remaining").value_or(""), &remaining) ||
      !absl::SimpleAtoi(response.headers.Get("ratelimit-reset").value_or(""), &reset) ||
      remaining > 0) {
    return;
  }
  const absl::Duration rest = absl::FromUnixSeconds(reset) - absl::Now();
  if (rest > absl::ZeroDuration()) limit.PauseFor(std::min(rest, kLongestRest));
}

absl::Status Refine(const absl::Status& error, const Json& body) {
  const std::string words = Text(body, "message");
  if (absl::StrContains(words, "droplet limit")) {
    return common::Error(absl::StatusCode::kResourceExhausted,
                         machine::v1::ERROR_REASON_PROVIDER_QUOTA, error.message());
  }
  if (absl::StrContains(words, "pending event")) {
    return absl::UnavailableError(error.message());
  }
  return error;
}

ApiDialect Dialect(std::string token, const Backoff& retry,
                   const std::shared_ptr<common::TokenBucket>& limit) {
  ApiDialect dialect;
  dialect.provider = "DigitalOcean";
  dialect.backoff = retry;
  dialect.authorize = [secret = common::SecretString(std::move(token))](
                          const common::CallScope&, common::HttpRequest& request) {
    request.headers.Set("Authorization", absl::StrCat("Bearer ", secret.view()));
    return absl::OkStatus();
  };
  dialect.message_of = [](const Json& body) { return Text(body, "message"); };
  dialect.refine = [](const absl::Status& error, int, const Json& body) {
    return Refine(error, body);
  };
  dialect.on_response = [limit](const common::HttpResponse& response) {
    HeedRateLimit(*limit, response);
  };
  return dialect;
}

JsonApi MakeApi(common::HttpClient& http, std::string endpoint, std::string token,
                const Backoff& retry) {
  auto limit = std::make_shared<common::TokenBucket>(kRequestsPerSecond, kBurst);
  return JsonApi(http, std::move(endpoint), limit, Dialect(std::move(token), retry, limit));
}

absl::Status NotAnAnswer(absl::string_view key) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("DigitalOcean's answer has no ", key));
}

Image ImageOf(const Json& json) {
  return {.id = Number(json, "id"),
          .slug = Text(json, "slug"),
          .name = Text(json, "name"),
          .distribution = Text(json, "distribution"),
          .min_disk_gib = Number(json, "min_disk_size"),
          .regions = Texts(json, "regions")};
}

SshKey SshKeyOf(const Json& json) {
  return {.id = Number(json, "id"),
          .name = Text(json, "name"),
          .fingerprint = Text(json, "fingerprint"),
          .public_key = Text(json, "public_key")};
}

Droplet DropletOf(const Json& json) {
  Droplet droplet;
  droplet.id = Number(json, "id");
  droplet.status = Text(json, "status");
  droplet.locked = Flag(json, "locked");
  droplet.region = Text(Member(json, "region"), "slug");
  droplet.size = Text(json, "size_slug");
  droplet.image_slug = Text(Member(json, "image"), "slug");
  droplet.image_id = Number(Member(json, "image"), "id");
  droplet.tags = Texts(json, "tags");
  const Json& networks = Member(json, "networks");
  for (const Json& network : Elements(networks, "v4")) {
    const bool is_public = Text(network, "type") == "public";
    (is_public ? droplet.public_v4 : droplet.private_v4).push_back(Text(network, "ip_address"));
  }
  for (const Json& network : Elements(networks, "v6")) {
    droplet.public_v6.push_back(Text(network, "ip_address"));
  }
  return droplet;
}

Action ActionOf(const Json& json) { return {Number(json, "id"), Text(json, "status")}; }

Json BodyOf(const DropletSpec& spec) {
  Json body = {{"name", spec.name},         {"region", spec.region},        {"size", spec.size},
               {"ssh_keys", spec.ssh_keys}, {"backups", spec.backups},      {"ipv6", spec.ipv6},
               {"tags", spec.tags},         {"monitoring", spec.monitoring}};
  int64_t image_id = 0;
  body["image"] = absl::SimpleAtoi(spec.image, &image_id) ? Json(image_id) : Json(spec.image);
  if (!spec.user_data.empty()) body["user_data"] = spec.user_data;
  if (!spec.vpc_uuid.empty()) body["vpc_uuid"] = spec.vpc_uuid;
  if (!spec.public_network) body["public_networking"] = false;
  return body;
}

Json BodyOf(const FirewallSpec& spec) {
  const Json sources = {{"addresses", spec.cidrs}};
  Json inbound = Json::array();
  for (const int port : spec.tcp_ports) {
    inbound.push_back({{"protocol", "tcp"}, {"ports", absl::StrCat(port)}, {"sources", sources}});
  }
  inbound.push_back({{"protocol", "icmp"}, {"ports", "0"}, {"sources", sources}});
  const Json anywhere = {{"addresses", Json::array({"0.0.0.0/0", "::/0"})}};
  Json outbound = Json::array();
  for (const char* const protocol : {"tcp", "udp", "icmp"}) {
    outbound.push_back({{"protocol", protocol}, {"ports", "0"}, {"destinations", anywhere}});
  }
  return {{"name", spec.name},
          {"tags", Json::array({spec.tag})},
          {"inbound_rules", inbound},
          {"outbound_rules", outbound}};
}

}  // namespace

bool Droplet::HasTag(absl::string_view tag) const {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

DigitalOceanApi::DigitalOceanApi(common::HttpClient& http, std::string endpoint, std::string token,
                                 const Backoff& retry)
    : api_(MakeApi(http, std::move(endpoint), std::move(token), retry)) {}

absl::StatusOr<ApiResponse> DigitalOceanApi::Get(const common::CallScope& call,
                                                 std::string path) const {
  return api_.Send(call, {.path = std::move(path)});
}

absl::StatusOr<Json> DigitalOceanApi::Post(const common::CallScope& call, std::string path,
                                           Json body, absl::string_view answer,
                                           bool retry_safe) const {
  DM_ASSIGN_OR_RETURN(const ApiResponse response, api_.Send(call, {.method = "POST",
                                                                   .path = std::move(path),
                                                                   .body = std::move(body),
                                                                   .retry_safe = retry_safe}));
  const Json& made = Member(response.body, answer);
  if (made.is_object()) return made;
  return NotAnAnswer(answer);
}

absl::Status DigitalOceanApi::Delete(const common::CallScope& call, std::string path) const {
  const absl::Status status =
      api_.Send(call, {.method = "DELETE", .path = std::move(path)}).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status DigitalOceanApi::List(const common::CallScope& call, ApiRequest request,
                                   absl::string_view key,
                                   absl::FunctionRef<void(const Json&)> each) const {
  request.query.emplace_back("per_page", absl::StrCat(kPageSize));
  request.query.emplace_back("page", "1");
  size_t seen = 0;
  for (int page = 1;; ++page) {
    request.query.back().second = absl::StrCat(page);
    DM_ASSIGN_OR_RETURN(const ApiResponse response, api_.Send(call, request));
    if (!Member(response.body, key).is_array()) return NotAnAnswer(key);
    const Json& elements = Elements(response.body, key);
    for (const Json& element : elements) each(element);
    seen += elements.size();
    // Both, so that the list ends whatever the provider says of further pages.
    const int64_t total = Number(Member(response.body, "meta"), "total");
    const Json& pages = Member(Member(response.body, "links"), "pages");
    if (Text(pages, "next").empty() || elements.empty() || static_cast<int64_t>(seen) >= total) {
      return absl::OkStatus();
    }
  }
}

absl::StatusOr<Account> DigitalOceanApi::GetAccount(const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const ApiResponse response, Get(call, "/v2/account"));
  const Json& account = Member(response.body, "account");
  return Account{Text(account, "status"), Text(account, "status_message")};
}

absl::StatusOr<std::vector<Region>> DigitalOceanApi::ListRegions(
    const common::CallScope& call) const {
  std::vector<Region> regions;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v2/regions"}, "regions", [&](const Json& json) {
    regions.push_back({Text(json, "slug"), Flag(json, "available")});
  }));
  return regions;
}

absl::StatusOr<std::vector<Size>> DigitalOceanApi::ListSizes(const common::CallScope& call) const {
  std::vector<Size> sizes;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v2/sizes"}, "sizes", [&](const Json& json) {
    sizes.push_back({.slug = Text(json, "slug"),
                     .memory_mib = Number(json, "memory"),
                     .disk_gib = Number(json, "disk"),
                     .price_hourly = Decimal(json, "price_hourly"),
                     .available = Flag(json, "available"),
                     .regions = Texts(json, "regions")});
  }));
  return sizes;
}

absl::StatusOr<std::vector<Image>> DigitalOceanApi::ListDistributions(
    const common::CallScope& call) const {
  std::vector<Image> images;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v2/images", .query = {{"type", "distribution"}}},
                          "images", [&](const Json& json) { images.push_back(ImageOf(json)); }));
  return images;
}

absl::StatusOr<std::optional<Image>> DigitalOceanApi::FindImage(const common::CallScope& call,
                                                                absl::string_view image) const {
  const absl::StatusOr<ApiResponse> response =
      Get(call, absl::StrCat("/v2/images/", PercentEncode(image)));
  if (absl::IsNotFound(response.status())) return std::nullopt;
  if (!response.ok()) return response.status();
  return ImageOf(Member(response->body, "image"));
}

absl::StatusOr<std::vector<Vpc>> DigitalOceanApi::ListVpcs(const common::CallScope& call) const {
  std::vector<Vpc> vpcs;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v2/vpcs"}, "vpcs", [&](const Json& json) {
    vpcs.push_back({Text(json, "id"), Text(json, "region")});
  }));
  return vpcs;
}

absl::StatusOr<std::vector<SshKey>> DigitalOceanApi::ListSshKeys(
    const common::CallScope& call) const {
  std::vector<SshKey> keys;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v2/account/keys"}, "ssh_keys",
                          [&](const Json& json) { keys.push_back(SshKeyOf(json)); }));
  return keys;
}

absl::StatusOr<std::optional<SshKey>> DigitalOceanApi::FindSshKey(const common::CallScope& call,
                                                                  absl::string_view key) const {
  const absl::StatusOr<ApiResponse> response =
      Get(call, absl::StrCat("/v2/account/keys/", PercentEncode(key)));
  if (absl::IsNotFound(response.status())) return std::nullopt;
  if (!response.ok()) return response.status();
  const Json& found = Member(response->body, "ssh_key");
  if (!found.is_object()) return NotAnAnswer("ssh_key");
  return SshKeyOf(found);
}

absl::StatusOr<SshKey> DigitalOceanApi::CreateSshKey(const common::CallScope& call,
                                                     absl::string_view name,
                                                     absl::string_view public_key) const {
  absl::StatusOr<Json> key =
      Post(call, "/v2/account/keys",
           {{"name", std::string(name)}, {"public_key", std::string(public_key)}}, "ssh_key",
           /*retry_safe=*/true);
  // The account has each key once, under whatever name.
  if (absl::StrContains(key.status().message(), "already in use")) {
    return absl::AlreadyExistsError(key.status().message());
  }
  if (!key.ok()) return key.status();
  return SshKeyOf(*key);
}

absl::Status DigitalOceanApi::DeleteSshKey(const common::CallScope& call, int64_t id) const {
  return Delete(call, absl::StrCat("/v2/account/keys/", id));
}

absl::StatusOr<std::vector<Droplet>> DigitalOceanApi::ListDroplets(const common::CallScope& call,
                                                                   absl::string_view tag) const {
  std::vector<Droplet> droplets;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v2/droplets", .query = {{"tag_name", std::string(tag)}}},
                          "droplets",
                          [&](const Json& json) { droplets.push_back(DropletOf(json)); }));
  return droplets;
}

absl::StatusOr<std::optional<Droplet>> DigitalOceanApi::FindDroplet(const common::CallScope& call,
                                                                    int64_t id) const {
  const absl::StatusOr<ApiResponse> response = Get(call, absl::StrCat("/v2/droplets/", id));
  if (absl::IsNotFound(response.status())) return std::nullopt;
  if (!response.ok()) return response.status();
  const Json& droplet = Member(response->body, "droplet");
  if (!droplet.is_object()) return NotAnAnswer("droplet");
  return DropletOf(droplet);
}

absl::StatusOr<Droplet> DigitalOceanApi::CreateDroplet(const common::CallScope& call,
                                                       const DropletSpec& spec) const {
  DM_ASSIGN_OR_RETURN(const Json droplet, Post(call, "/v2/droplets", BodyOf(spec), "droplet"));
  return DropletOf(droplet);
}

absl::Status DigitalOceanApi::DeleteDroplet(const common::CallScope& call, int64_t id) const {
  return Delete(call, absl::StrCat("/v2/droplets/", id));
}

absl::StatusOr<std::optional<Action>> DigitalOceanApi::Act(const common::CallScope& call,
                                                           int64_t droplet_id,
                                                           absl::string_view type) const {
  const absl::StatusOr<Json> action =
      Post(call, absl::StrCat("/v2/droplets/", droplet_id, "/actions"),
           {{"type", std::string(type)}}, "action");
  if (absl::StrContains(action.status().message(), "already powered")) return std::nullopt;
  if (!action.ok()) return action.status();
  return ActionOf(*action);
}

absl::StatusOr<Action> DigitalOceanApi::GetAction(const common::CallScope& call, int64_t droplet_id,
                                                  int64_t action_id) const {
  DM_ASSIGN_OR_RETURN(const ApiResponse response,
                      Get(call, absl::StrCat("/v2/droplets/", droplet_id, "/actions/", action_id)));
  const Json& action = Member(response.body, "action");
  if (!action.is_object()) return NotAnAnswer("action");
  return ActionOf(action);
}

absl::Status DigitalOceanApi::CreateTag(const common::CallScope& call,
                                        absl::string_view tag) const {
  // One that exists is answered as one that was made.
  return Post(call, "/v2/tags", {{"name", std::string(tag)}}, "tag", /*retry_safe=*/true).status();
}

absl::Status DigitalOceanApi::DeleteTag(const common::CallScope& call,
                                        absl::string_view tag) const {
  return Delete(call, absl::StrCat("/v2/tags/", PercentEncode(tag)));
}

absl::StatusOr<std::vector<Firewall>> DigitalOceanApi::ListFirewalls(
    const common::CallScope& call) const {
  std::vector<Firewall> firewalls;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v2/firewalls"}, "firewalls", [&](const Json& json) {
    firewalls.push_back({Text(json, "id"), Text(json, "name")});
  }));
  return firewalls;
}

absl::StatusOr<Firewall> DigitalOceanApi::CreateFirewall(const common::CallScope& call,
                                                         const FirewallSpec& spec) const {
  const absl::StatusOr<Json> firewall = Post(call, "/v2/firewalls", BodyOf(spec), "firewall");
  // Names are unique: an earlier attempt made it.
  if (absl::IsAborted(firewall.status())) {
    return absl::AlreadyExistsError(firewall.status().message());
  }
  if (!firewall.ok()) return firewall.status();
  return Firewall{Text(*firewall, "id"), Text(*firewall, "name")};
}

absl::Status DigitalOceanApi::DeleteFirewall(const common::CallScope& call,
                                             absl::string_view id) const {
  return Delete(call, absl::StrCat("/v2/firewalls/", PercentEncode(id)));
}

}  // namespace machine::driver::digitalocean
