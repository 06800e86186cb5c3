// BoringSSL: the only pair of files that includes it, and how its errors read.
//
// io/tls_context, io/tls_stream and io/hmac_md5 are built on it; what they show to others knows
// nothing of it.
#ifndef OUTBOX_IO_BORINGSSL_H_
#define OUTBOX_IO_BORINGSSL_H_

#include <openssl/aead.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/hkdf.h>
#include <openssl/md5.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>

namespace outbox::io {

// What the library says of the last failure on this thread, in words; its list of errors is empty
// afterwards. Never empty.
std::string TakeTlsError();

}  // namespace outbox::io

#endif  // OUTBOX_IO_BORINGSSL_H_
