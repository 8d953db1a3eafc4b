#include <cstdlib>
#include <memory>

#include "drivers/docker/docker_driver.h"
#include "drivers/docker/http_engine_transport.h"
#include "drivers/sdk/serve.h"

int main(int argc, char** argv) {
  namespace docker = machine::driver::docker;
  const char* const docker_host = std::getenv("DOCKER_HOST");
  return machine::driver::Serve(
      argc, argv,
      std::make_unique<docker::DockerDriver>(
          docker::DefaultEndpoint(docker_host == nullptr ? "" : docker_host),
          docker::HttpEngineTransports()));
}
