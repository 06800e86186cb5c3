// The maildrop: where mail waits that was handed in while outboxd was not there.
//
// A directory that everybody's mail gets into through one small program that runs with its group
// (drop.cc), and that nobody but the daemon looks into: owner outbox, group outbox-drop, mode 1770.
// A file is one message. Its owner is who handed it in, its group may read it; its name begins with
// the owner's number. It is written under a name with a dot in front, made durable and renamed: a
// name without a dot is a whole message. The daemon takes them out (tools/maildrop_pickup.h).
//
//   outbox-maildrop 1
//   sender alice@example.com              empty: the null return path
//   recipient bob@example.net             one line each
//   notify FAILURE                        these three only where they were given
//   ret HDRS
//   envelope-id 4711
//   content 1234                          so many bytes follow, and nothing else
#ifndef OUTBOX_TOOLS_SENDMAIL_MAILDROP_H_
#define OUTBOX_TOOLS_SENDMAIL_MAILDROP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"
#include "tools/sendmail/mail.h"

namespace outbox::tools {

// Messages of one user that wait at most; the next one is refused until some are gone.
inline constexpr size_t kMaildropUserFilesMax = 10'000;
// What is left of the file system to others.
inline constexpr uint64_t kMaildropReserveBytes = uint64_t{64} << 20;
// A whole file: a message, and an envelope at its bounds.
inline constexpr size_t kMaildropFileBytesMax = kHandedInBytesMax + (size_t{2} << 20);

std::string EncodeMaildrop(const Mail& mail);
// All of a file. Errors say what is wrong with it and where.
core::Result<Mail> DecodeMaildrop(std::string_view bytes);

// Writes a file of the user `uid` into `directory`, durable when this returns. Its name; or
// kResourceExhausted: too many wait already, or there is too little room; or why it cannot be
// written. Nothing is left behind then.
core::Result<std::string> WriteMaildrop(const std::string& directory, uint32_t uid,
                                        std::string_view bytes);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_MAILDROP_H_
