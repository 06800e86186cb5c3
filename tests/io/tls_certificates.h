// Certificates for tests, made anew by the openssl command in a directory of the test's own.
#ifndef OUTBOX_TESTS_IO_TLS_CERTIFICATES_H_
#define OUTBOX_TESTS_IO_TLS_CERTIFICATES_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "io/tls_context.h"

namespace outbox::io {

class TlsCertificates {
 public:
  TlsCertificates() {
    std::string pattern = std::filesystem::temp_directory_path().string() + "/tls_test.XXXXXX";
    const char* made = mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    if (made != nullptr) path_ = made;
    Make("ca", "/CN=Test root", "");
  }
  ~TlsCertificates() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  // A key, and a certificate of the test's root for `names` ("DNS:a.example,IP:192.0.2.1"), good
  // for so many days from now on: -1 for one that has expired.
  void Issue(const std::string& file, const std::string& names, int days = 30) {
    const std::string key = " -keyout " + file + ".key";
    Run(file, "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc " +
                  ("-subj /CN=" + file) + " -addext subjectAltName=" + names + key + " -out " +
                  file + ".csr && openssl x509 -req -in " + file +
                  ".csr -CA ca.pem -CAkey ca.key -copy_extensions copyall -days " +
                  std::to_string(days) + " -out " + file + ".pem");
  }
  // One that is vouched for by itself. `kind`: of its key.
  void Make(const std::string& file, const std::string& subject, const std::string& more,
            const std::string& kind = "ec -pkeyopt ec_paramgen_curve:prime256v1") {
    Run(file, "openssl req -x509 -newkey " + kind + " -noenc -days 30 -subj '" + subject +
                  "' -keyout " + file + ".key -out " + file + ".pem " + more);
  }
  std::string Read(const std::string& file) const {
    std::ifstream in(path_ + "/" + file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string Chain(const std::string& file) const { return Read(file + ".pem"); }
  std::string Key(const std::string& file) const { return Read(file + ".key"); }

  std::shared_ptr<const TlsServerContext> Server(const std::string& file) const {
    const std::string chain = Chain(file);
    const std::string key = Key(file);
    const TlsIdentity identity{chain, key};
    size_t bad = 0;
    auto made = TlsServerContext::Create({&identity, 1}, &bad);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.ok() ? *made : nullptr;
  }
  std::shared_ptr<const TlsTrust> Trust() const {
    auto made = TlsTrust::Create(Chain("ca"));
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.ok() ? *made : nullptr;
  }

 private:
  void Run(const std::string& file, const std::string& commands) {
    const std::string all = "cd " + path_ + " && { " + commands + "; } 2>" + file + ".said";
    EXPECT_EQ(std::system(all.c_str()), 0) << all << "\n" << Read(file + ".said");
  }

  std::string path_;
};

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_TLS_CERTIFICATES_H_
