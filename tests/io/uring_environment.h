// IoEnvironment on the real kernel: a UringIo and a directory of its own.
#ifndef OUTBOX_TESTS_IO_URING_ENVIRONMENT_H_
#define OUTBOX_TESTS_IO_URING_ENVIRONMENT_H_

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "io/uring_io.h"
#include "tests/io/io_environment.h"

namespace outbox::io {

// A new directory below the current one (a test program's place in the build tree, on a real disk),
// removed at the end.
class TestDirectory {
 public:
  TestDirectory() {
    std::string pattern = std::filesystem::current_path().string() + "/io_test.XXXXXX";
    const char* made = mkdtemp(pattern.data());
    if (made != nullptr) path_ = made;
  }
  ~TestDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class UringEnvironment final : public IoEnvironment {
 public:
  static std::unique_ptr<UringEnvironment> Make(const UringOptions& options) {
    core::Result<std::unique_ptr<UringIo>> made = UringIo::Create(options);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    if (!made.ok()) return nullptr;
    auto environment = std::make_unique<UringEnvironment>();
    environment->io_ = std::move(*made);
    return environment;
  }
  // With the features of these names masked.
  static IoEnvironmentKind Kind(const std::string& name, std::vector<std::string> masked) {
    UringOptions options;
    options.disable = std::move(masked);
    return {name, [options] { return Make(options); }};
  }

  Io* io() override { return io_.get(); }
  std::string Directory() override { return directory_.path(); }
  uint32_t UnixUser() override { return getuid(); }
  std::string UnixPath() override {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string path = directory_.path() + "/socket";
    EXPECT_LT(path.size(), sizeof(address.sun_path));
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    unix_listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(unix_listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(unix_listener_, 0), 0);
    return path;
  }
  ~UringEnvironment() override {
    if (unix_listener_ >= 0) close(unix_listener_);
  }
  UringIo* uring() { return io_.get(); }

 private:
  TestDirectory directory_;
  int unix_listener_ = -1;
  std::unique_ptr<UringIo> io_;
};

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_URING_ENVIRONMENT_H_
