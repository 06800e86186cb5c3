// IntrusiveList: a doubly linked list whose links live inside the elements.
//
// For things that wait: a connection for a buffer, a transaction for the next commit. Linking and
// unlinking never allocate and are O(1). An element is in at most one list per Link member. The
// list does not own its elements. Not thread-safe; list and elements belong to one shard.
#ifndef OUTBOX_CORE_INTRUSIVE_LIST_H_
#define OUTBOX_CORE_INTRUSIVE_LIST_H_

#include <cstddef>

#include "core/check.h"

namespace outbox::core {

// The links of one element. Unlinked when default-constructed; must be unlinked when destroyed.
struct ListLink {
  ListLink* prev = nullptr;
  ListLink* next = nullptr;

  ListLink() = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { CHECK(!linked()); }

  bool linked() const { return next != nullptr; }
  // REQUIRES: linked().
  void Unlink() {
    CHECK(linked());
    prev->next = next;
    next->prev = prev;
    prev = next = nullptr;
  }
};

// A list of T through its member `Member`: IntrusiveList<Session, &Session::waiting_link>.
template <typename T, ListLink T::* Member>
class IntrusiveList {
 public:
  IntrusiveList() { head_.prev = head_.next = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  // REQUIRES: empty.
  ~IntrusiveList() {
    CHECK(empty());
    head_.prev = head_.next = nullptr;
  }

  bool empty() const { return head_.next == &head_; }
  T* front() { return empty() ? nullptr : Owner(head_.next); }
  T* back() { return empty() ? nullptr : Owner(head_.prev); }
  // The element behind `element`, or nullptr at the end. REQUIRES: element is in this list.
  T* Next(T* element) {
    ListLink* next = (element->*Member).next;
    return next == &head_ ? nullptr : Owner(next);
  }

  // REQUIRES: element is in no list through this member.
  void PushBack(T* element) { Insert(&(element->*Member), head_.prev); }
  void PushFront(T* element) { Insert(&(element->*Member), &head_); }
  // Removes and returns the first element, or nullptr.
  T* PopFront() {
    T* element = front();
    if (element != nullptr) (element->*Member).Unlink();
    return element;
  }
  // REQUIRES: element is in this list.
  void Remove(T* element) { (element->*Member).Unlink(); }

 private:
  static void Insert(ListLink* link, ListLink* after) {
    CHECK(!link->linked());
    link->prev = after;
    link->next = after->next;
    after->next->prev = link;
    after->next = link;
  }
  static T* Owner(ListLink* link) {
    // The offset of a member through a pointer to member, without constructing a T.
    alignas(T) static char probe[sizeof(T)];
    T* object = reinterpret_cast<T*>(probe);
    const ptrdiff_t offset =
        reinterpret_cast<char*>(&(object->*Member)) - reinterpret_cast<char*>(object);
    return reinterpret_cast<T*>(reinterpret_cast<char*>(link) - offset);
  }

  ListLink head_;
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_INTRUSIVE_LIST_H_
