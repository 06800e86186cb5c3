// ServiceManager: what the daemon tells the service manager that started it, by the protocol of
// sd_notify(3): a datagram to the socket that $NOTIFY_SOCKET names. Without one every call is a
// no-op. Main thread; never waits.
#ifndef OUTBOX_TOOLS_SERVICE_MANAGER_H_
#define OUTBOX_TOOLS_SERVICE_MANAGER_H_

#include <cstdint>
#include <string>

namespace outbox::tools {

class ServiceManager {
 public:
  // Takes the socket's name out of the environment, so that no child has it.
  ServiceManager();
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // Mail is taken; also after a reload, whatever came of it.
  void Ready(const std::string& status);
  void Reloading();
  void Stopping();
  // A sign of life, at least this often; 0: nobody waits for one.
  void Alive();
  int64_t alive_within_ns() const { return alive_within_ns_; }

 private:
  void Tell(const std::string& lines);

  int fd_ = -1;
  std::string address_;  // of the socket; a leading "@" is an abstract name's NUL byte
  int64_t alive_within_ns_ = 0;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SERVICE_MANAGER_H_
