// The keys of [[dkim]], read at the start and at a reload; and new ones, for `outbox dkim keygen`.
//
// Nothing here or above shows a private key: errors name the file alone, and what is read is
// overwritten once the key has been made of it.
#ifndef OUTBOX_TOOLS_DKIM_KEYS_H_
#define OUTBOX_TOOLS_DKIM_KEYS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/status.h"
#include "dkim/signer_key.h"

namespace outbox::tools {

// Sets DkimConfig::key of every entry; one file is read once. Errors are lines for the operator,
// with their place in `file`. A file that everybody may read is an error. On the main thread.
void LoadDkimKeys(const std::string& file, core::Config* config, std::vector<std::string>* errors);

// A new key in a new file, mode 0600, that is on the disk when this returns. The error says why
// there is none; no file is left then, and one that was there is not touched.
core::Result<std::shared_ptr<const dkim::SignerKey>> MakeDkimKey(dkim::KeyType type, uint32_t bits,
                                                                 const std::string& path);

// What is to be published, as a line of a zone file: the name, TXT, and strings of at most 255
// octets. `domain`: d=.
std::string DkimZoneLine(std::string_view selector, std::string_view domain,
                         const dkim::SignerKey& key);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DKIM_KEYS_H_
