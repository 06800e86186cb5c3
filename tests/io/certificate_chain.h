// A chain of certificates as long as a test wants it, which the openssl command would take seconds
// for: its own first, each vouched for by the next, the last by the root. All have the root's key.
#ifndef OUTBOX_TESTS_IO_CERTIFICATE_CHAIN_H_
#define OUTBOX_TESTS_IO_CERTIFICATE_CHAIN_H_

#include <string>

namespace outbox::io {

// PEM in, PEM out. `names`: of the first one ("DNS:a.example,IP:192.0.2.1").
std::string CertificateChain(const std::string& root, const std::string& root_key,
                             const std::string& names, int count);

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_CERTIFICATE_CHAIN_H_
