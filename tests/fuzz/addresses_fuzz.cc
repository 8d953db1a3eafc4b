// Addresses that users give: HOST:PORT, and those of Docker Engines.
#include "drivers/docker/endpoint.h"
#include "drivers/sdk/host_port.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = machine::fuzz::TextOf(data, size);
  const auto address = machine::driver::ParseHostPort(text);
  if (address.ok()) {
    machine::fuzz::Expect(address->port > 0 && address->port < 65536, "a port out of range");
    const auto again =
        machine::driver::ParseHostPort(machine::driver::HostPort(address->host, address->port));
    machine::fuzz::Expect(again.ok() && again->host == address->host,
                          "it does not read its own text");
  }
  const auto endpoint = machine::driver::docker::ParseEndpoint(text);
  if (endpoint.ok()) {
    const auto again = machine::driver::docker::ParseEndpoint(endpoint->ToString());
    machine::fuzz::Expect(again.ok() && *again == *endpoint, "it does not read its own endpoint");
  }
  return 0;
}
