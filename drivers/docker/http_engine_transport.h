// Requests to engines over the project's HTTP layer.
#ifndef DRIVERS_DOCKER_HTTP_ENGINE_TRANSPORT_H_
#define DRIVERS_DOCKER_HTTP_ENGINE_TRANSPORT_H_

#include "drivers/docker/engine_transport.h"

namespace machine::driver::docker {

/// Makes connections by Unix socket, TCP or TLS. They share one client, whose thread starts with
/// the first of them.
EngineTransportFactory HttpEngineTransports();

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_HTTP_ENGINE_TRANSPORT_H_
