#include "tools/listener_probe.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/limits.h"
#include "io/tcp_socket.h"

namespace outbox::tools {

core::Status ProbeListeners(const core::Config& config, const core::Config* running) {
  for (const core::ListenerConfig& listener : config.listeners) {
    if (listener.is_unix()) continue;  // nothing is shared there: listening fails by itself
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

core::Status AwaitListeners(const core::Config& config) {
  constexpr std::chrono::milliseconds kStep{20};
  core::Status status = ProbeListeners(config, nullptr);
  for (int64_t left = core::kListenersAwaitedMs;
       status.code() == core::StatusCode::kUnavailable && left > 0; left -= kStep.count()) {
    std::this_thread::sleep_for(kStep);
    status = ProbeListeners(config, nullptr);
  }
  return status;
}

}  // namespace outbox::tools
