#include "tools/listener_probe.h"

#include <algorithm>

#include "io/tcp_socket.h"

namespace outbox::tools {

core::Status ProbeListeners(const core::Config& config, const core::Config* running) {
  for (const core::ListenerConfig& listener : config.listeners) {
    const bool ours =
        running != nullptr && std::any_of(running->listeners.begin(), running->listeners.end(),
                                          [&](const core::ListenerConfig& other) {
                                            return other.address.port == listener.address.port;
                                          });
    if (ours) continue;
    const core::Result<io::Socket> socket = io::ListenTcp(listener.address, /*share=*/false);
    if (!socket.ok()) return socket.status();
    io::CloseTcp(*socket, /*reset=*/false);
  }
  return core::OkStatus();
}

}  // namespace outbox::tools
