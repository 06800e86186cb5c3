// SuspensionBook: what an operator has suspended, kept in the spool, so that a restart forgets none
// of it.
//
// The file is JSON, "suspended.json" in the spool, with a checksum; written as another file first,
// synced, and put into place. One that is damaged is an error of the start: mail that was to be
// kept back must not go because nobody could read that. Lives on the main thread.
#ifndef OUTBOX_TOOLS_SUSPENSION_BOOK_H_
#define OUTBOX_TOOLS_SUSPENSION_BOOK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "queue/suspension_list.h"

namespace outbox::tools {

class SuspensionBook {
 public:
  using List = std::shared_ptr<const queue::SuspensionList>;

  explicit SuspensionBook(const std::string& spool);

  // Reads what an earlier life has left; what is over by `wall_ns` is left out. kDataLoss: the file
  // is damaged, and the message says what to do.
  core::Status Load(int64_t wall_ns);
  // Adds it, or puts it in the place of the one with the same name (*replaced). Nothing has changed
  // unless ok: kResourceExhausted at core::kSuspensions, or the file could not be written.
  core::Status Put(queue::Suspension suspension, bool* replaced);
  // Takes those out that are meant: all, or the one with this name. *removed has them.
  core::Status Remove(bool all, const std::string& name, bool site,
                      std::vector<queue::Suspension>* removed);
  // Takes out what is over. If the file cannot be written it keeps them, and Load leaves them out.
  std::vector<queue::Suspension> Expire(int64_t wall_ns);
  // When the first one is over, wall clock; 0: none ever.
  int64_t next_wall_ns() const;

  // The present one; never null, never changes.
  const List& list() const { return list_; }
  const std::string& path() const { return path_; }

 private:
  core::Status Save(const std::vector<queue::Suspension>& all) const;
  core::Status Take(std::vector<queue::Suspension> all);

  const std::string directory_;
  const std::string path_;
  List list_ = std::make_shared<const queue::SuspensionList>();
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SUSPENSION_BOOK_H_
