#include "services/orchestrator/import/store_tls.h"

#include <nlohmann/json.hpp>

namespace machine::orchestrator {

std::string StoreTls::ToText() const {
  const nlohmann::json text = {
      {"ca", ca_pem}, {"cert", cert_pem}, {"key", key_pem}, {"ca_key", ca_key_pem}};
  return text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<StoreTls> StoreTls::FromText(absl::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::DataLossError("the imported certificates cannot be read");
  const auto part = [&](const char* name) {
    const auto it = json.find(name);
    return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  return StoreTls{.ca_pem = part("ca"),
                  .cert_pem = part("cert"),
                  .key_pem = part("key"),
                  .ca_key_pem = part("ca_key")};
}

}  // namespace machine::orchestrator
