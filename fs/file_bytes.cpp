#include "fs/file_bytes.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "base/posix_error.h"
#include "base/work_slots.h"
#include "fs/errno.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kPatienceForOldChunks{5};

constexpr uint64_t kMaxFileBytes = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

Result<void> check_range(uint64_t offset, uint64_t length) {
  if (offset > kMaxFileBytes || length > kMaxFileBytes - offset) return fail_posix(EFBIG, "past the largest file size");
  return {};
}

template <class T>
Result<T> for_reader(Result<T> result) {
  if (result) return result;
  return fail(as_io_error(std::move(result).error()));
}

}  // namespace

FileBytes::FileBytes(ByteSources sources, VersionPtr base, PageSink sink, Identify identify, HalfRead half_read)
    : sources_(sources),
      sink_(std::move(sink)),
      identify_(std::move(identify)),
      half_read_(std::move(half_read)),
      base_(std::move(base)) {}

FileBytes::~FileBytes() {
  if (reader_) reader_->set_page_sink(nullptr);
}

Result<void> FileBytes::load(const RequestContext& context) {
  if (draft_if_any()) return {};
  if (auto opened = reader(context); !opened) return fail(std::move(opened).error());
  return {};
}

FileBytes::WholeImage FileBytes::whole_image() const {
  std::shared_ptr<FileReader> reader;
  {
    const MutexLock lock(mutex_);
    if (!draft_) reader = reader_;
  }
  if (!reader) return {};
  return {reader->version(), reader->whole_image()};
}

void FileBytes::add_writer(uint64_t session, uint32_t user) {
  {
    // Counted before the sink is stopped: from here on no new reader gets the sink, so stopping it once is enough.
    MutexLock lock(mutex_);
    last_session_ = session;
    last_user_ = user;
    ++writers_;
  }
  stop_sink();  // for each: the first one may still be waiting for a push to end
}

void FileBytes::read_past_pages() {
  std::shared_ptr<FileReader> reader;
  {
    MutexLock lock(mutex_);
    if (std::exchange(reads_past_pages_, true)) return;
    reader = reader_;
  }
  const WithoutSlot waiting;  // as in stop_sink()
  if (reader) reader->set_page_sink(nullptr);
}

void FileBytes::remove_writer() {
  Dropped dropped;
  MutexLock lock(mutex_);
  --writers_;
  dropped = drop_draft_if_idle_locked();
}

// The reader of the base version; nullptr for an empty file. Without the lock while it is opened, which may fetch the
// manifest. Two threads may both open it: the first one stays. If a publication has replaced the base meanwhile, this
// caller reads the version that was current when it came, and the reader is not remembered.
Result<std::shared_ptr<FileReader>> FileBytes::reader(const RequestContext& context) {
  MutexLock lock(mutex_);
  if (reader_ || !base_ || base_->size_bytes == 0) return reader_;
  const VersionPtr version = base_;
  lock.unlock();
  auto opened = for_reader(FileReader::open(sources_.environment, sources_.reader, version, context));
  if (!opened) return opened;
  lock.lock();
  if (reader_ || base_ != version) return reader_ ? reader_ : *opened;
  reader_ = *opened;
  if (sink_ && writers_ == 0 && !draft_ && !reads_past_pages_) reader_->set_page_sink(sink_);
  if (half_read_) {
    reader_->set_half_read([half_read = half_read_, weak = std::weak_ptr(reader_)] {
      if (const auto reading = weak.lock()) half_read(reading);
    });
  }
  return reader_;
}

// A fork is copied without a lock: what is frozen does not change. Of two threads the first one's stays.
Result<std::shared_ptr<Draft>> FileBytes::writable_draft(const RequestContext& context) {
  std::shared_ptr<Draft> before;
  uint32_t user = 0;
  {
    MutexLock lock(mutex_);
    if (draft_ && !frozen_) return draft_;
    before = draft_;
    user = last_user_;
  }
  if (before) {
    auto fork = before->fork(user, context);
    if (!fork) return fail(as_io_error(std::move(fork).error()));
    return take_over(before, std::move(*fork));
  }
  auto base = reader(context);
  if (!base) return fail(std::move(base).error());
  auto opened = Draft::open(sources_.environment, sources_.reader, sources_.writer, *base, user);
  if (!opened) return fail(as_io_error(std::move(opened).error()));
  return take_over(nullptr, std::move(*opened));
}

// For a truncate to nothing: no byte of what was there is needed, and a chunk list that cannot be had, or not soon, is
// no obstacle. Without it, chunks that are the same again are offered to the store once more.
Result<std::shared_ptr<Draft>> FileBytes::emptied_draft(const RequestContext& context) {
  std::shared_ptr<Draft> before;
  uint32_t user = 0;
  {
    MutexLock lock(mutex_);
    if (draft_ && !frozen_) return draft_;
    before = draft_;
    user = last_user_;
  }
  if (!before) {
    auto base = reader(context.no_longer_than(kPatienceForOldChunks));
    if (base && *base) sources_.writer.remember((*base)->manifest());
  }
  auto opened = Draft::open_empty(sources_.environment, sources_.reader, sources_.writer, user);
  if (!opened) return fail(as_io_error(std::move(opened).error()));
  return take_over(before, std::move(*opened));
}

// `fresh` in place of `before`, unless somebody else was faster.
std::shared_ptr<Draft> FileBytes::take_over(const std::shared_ptr<Draft>& before, std::shared_ptr<Draft> fresh) {
  MutexLock lock(mutex_);
  if (draft_ != before) return draft_;
  if (!draft_) own_.clear();
  draft_ = std::move(fresh);
  frozen_ = false;
  let_go_ = false;
  noted_ = false;
  sealed_.reset();
  return draft_;
}

// Nothing is promised of what a crash leaves, so a note that finds no room stops nobody.
void FileBytes::note(Draft& draft) {
  {
    MutexLock lock(mutex_);
    if (!identify_ || draft_.get() != &draft || std::exchange(noted_, true)) return;
  }
  const std::string identity = identify_();
  if (identity.empty()) return;
  if (auto noted = draft.note(identity); !noted) log::debug("{}", noted.error().to_string());
}

bool FileBytes::may_write(const std::shared_ptr<Draft>& draft) const {
  MutexLock lock(mutex_);
  return draft && draft_ == draft && !frozen_;
}

std::shared_ptr<Draft> FileBytes::draft_if_any() const {
  MutexLock lock(mutex_);
  return draft_;
}

// After this no page of the base version reaches the kernel any more: it could land on top of a newer write.
void FileBytes::stop_sink() {
  if (!sink_) return;
  std::shared_ptr<FileReader> reader;
  {
    MutexLock lock(mutex_);
    reader = reader_;
  }
  const WithoutSlot waiting;  // a push may wait for a page that another request is fetching
  if (reader) reader->set_page_sink(nullptr);
  sink_(0, {}, nullptr);
}

void FileBytes::touch() {
  const Nanos now = sources_.environment.clock.wall_now();
  MutexLock lock(mutex_);
  mtime_ = now;
}

// A draft that begins after the first look is as if it began after the read.
Result<size_t> FileBytes::read(uint64_t offset, MutableByteView out, const RequestContext& context) {
  if (const auto draft = draft_if_any()) return for_reader(draft->read(offset, out, context));
  auto source = reader(context);
  if (!source) return fail(std::move(source).error());
  if (!*source) return 0;
  return for_reader((*source)->read(offset, out, context));
}

Result<size_t> FileBytes::write_to(Draft& draft, uint64_t offset, ByteView bytes) {
  if (auto fits = check_range(offset, bytes.size()); !fits) return fail(std::move(fits).error());
  if (bytes.empty()) return 0;
  if (auto written = for_reader(draft.write(offset, bytes)); !written) return fail(std::move(written).error());
  touch();
  return bytes.size();
}

Result<std::shared_ptr<Draft>> FileBytes::draft_with_room(uint64_t offset, uint64_t length, StagingRoom::Place& room,
                                                          const RequestContext& context) {
  auto draft = writable_draft(context);
  if (!draft) return draft;
  auto taken = (*draft)->take_room(offset, length, context);
  if (!taken) return fail(as_io_error(std::move(taken).error()));
  room = std::move(*taken);
  return draft;
}

Result<size_t> FileBytes::write(uint64_t offset, ByteView bytes, const RequestContext& context) {
  if (auto fits = check_range(offset, bytes.size()); !fits) return fail(std::move(fits).error());
  StagingRoom::Place room;
  return change([&] { return draft_with_room(offset, bytes.size(), room, context); },
                [&](Draft& draft) { return write_to(draft, offset, bytes); });
}

// The draft comes before the lock, since making it may wait for the store. The end is looked up and written to under
// one lock, so that no two appends land on each other.
Result<size_t> FileBytes::append(ByteView bytes, const RequestContext& context) {
  StagingRoom::Place room;
  return change([&] { return draft_with_room(size_bytes(), bytes.size(), room, context); },
                [&](Draft& draft) {
                  MutexLock lock(append_mutex_);
                  return write_to(draft, draft.size_bytes(), bytes);
                });
}

Result<void> FileBytes::truncate(uint64_t size_bytes, const RequestContext& context) {
  if (auto fits = check_range(size_bytes, 0); !fits) return fits;
  return change([&] { return size_bytes == 0 ? emptied_draft(context) : writable_draft(context); },
                [&](Draft& draft) -> Result<void> {
                  if (auto done = for_reader(draft.truncate(size_bytes)); !done) return done;
                  touch();
                  return {};
                });
}

Result<void> FileBytes::allocate(int mode, uint64_t offset, uint64_t length, const RequestContext& context) {
  if (length == 0) return fail_posix(EINVAL, "fallocate of no bytes");
  if (auto fits = check_range(offset, length); !fits) return fits;
  return change([&] { return writable_draft(context); },
                [&](Draft& draft) -> Result<void> {
                  if (auto done = for_reader(allocate_in(draft, mode, offset, length)); !done) return done;
                  touch();
                  return {};
                });
}

Result<void> FileBytes::allocate_in(Draft& draft, int mode, uint64_t offset, uint64_t length) {
  const bool keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  switch (mode & ~FALLOC_FL_KEEP_SIZE) {
    case 0: return draft.allocate(offset, length, keep_size);
    case FALLOC_FL_PUNCH_HOLE:
      if (!keep_size) return fail_posix(EOPNOTSUPP, "FALLOC_FL_PUNCH_HOLE without FALLOC_FL_KEEP_SIZE");
      return draft.punch(offset, length);
    case FALLOC_FL_ZERO_RANGE:
      if (auto punched = draft.punch(offset, length); !punched) return punched;
      if (!keep_size && offset + length > draft.size_bytes()) return draft.truncate(offset + length);
      return {};
    default: return fail_posix(EOPNOTSUPP, "fallocate mode {:#x}", mode);
  }
}

Result<uint64_t> FileBytes::seek(uint64_t offset, int whence, const RequestContext& context) {
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return fail_posix(EINVAL, "lseek whence {}", whence);
  std::optional<uint64_t> found;
  if (const auto draft = draft_if_any()) {
    found = whence == SEEK_DATA ? draft->seek_data(offset) : draft->seek_hole(offset);
  } else {
    auto source = reader(context);
    if (!source) return fail(std::move(source).error());
    if (*source) found = whence == SEEK_DATA ? (*source)->seek_data(offset) : (*source)->seek_hole(offset);
  }
  if (!found) return fail_posix(ENXIO, "nothing to seek from {} on", offset);
  return *found;
}

bool FileBytes::grow(const VersionPtr& version) {
  std::shared_ptr<FileReader> before;
  {
    MutexLock lock(mutex_);
    if (draft_ || writers_ > 0) return false;
    shown_bytes_ = base_ ? base_->size_bytes : 0;
    base_ = version;
    before = std::exchange(reader_, nullptr);
  }
  if (before) before->set_page_sink(nullptr);
  return true;
}

void FileBytes::show_growth() {
  MutexLock lock(mutex_);
  shown_bytes_.reset();
}

uint64_t FileBytes::size_bytes() const {
  MutexLock lock(mutex_);
  if (draft_) return draft_->size_bytes();
  if (shown_bytes_) return *shown_bytes_;
  return base_ ? base_->size_bytes : 0;
}

uint64_t FileBytes::data_bytes() const {
  MutexLock lock(mutex_);
  if (draft_) return draft_->data_bytes();
  return base_ ? base_->size_bytes - base_->hole_bytes : 0;
}

VersionPtr FileBytes::base() const {
  MutexLock lock(mutex_);
  return base_;
}

bool FileBytes::unpublished_locked() const { return draft_ && (frozen_ || sealed_ || draft_->dirty()); }

bool FileBytes::unpublished() const {
  MutexLock lock(mutex_);
  return unpublished_locked();
}

uint64_t FileBytes::last_session() const {
  MutexLock lock(mutex_);
  return last_session_;
}

bool FileBytes::has_draft() const { return draft_if_any() != nullptr; }

std::optional<Nanos> FileBytes::unpublished_mtime() const {
  MutexLock lock(mutex_);
  return unpublished_locked() ? mtime_ : std::nullopt;
}

bool FileBytes::set_unpublished_mtime(Nanos mtime) {
  MutexLock lock(mutex_);
  if (!unpublished_locked()) return false;
  mtime_ = mtime;
  return true;
}

// When and by whom the next version is published; later than any before it, whatever the clock does.
VersionStamp FileBytes::next_stamp_locked(uint64_t session) {
  last_published_ = std::max(sources_.environment.clock.wall_now(), last_published_ + 1);
  own_.push_back({last_published_, session});
  return own_.back();
}

Result<FileBytes::Sealed> FileBytes::seal(uint64_t session, const RequestContext& context) {
  std::shared_ptr<Draft> draft;
  std::optional<StoredContent> content;
  noticed_ = false;
  {
    MutexLock lock(mutex_);
    draft = draft_;
    if (!draft) return Sealed{};
    if (sealed_ && !draft_->dirty()) content = sealed_;
  }
  if (!content) {
    auto sealed = for_reader(draft->seal(context));
    if (!sealed) return fail(std::move(sealed).error());
    content = std::move(*sealed);
  }
  Version version{*content, {}, {}, {}, {}};
  version.host = sources_.environment.options.host;
  version.session = session;
  MutexLock lock(mutex_);
  version.published = next_stamp_locked(session).published;
  version.mtime = mtime_.value_or(version.published);
  if (draft_ == draft) sealed_ = std::move(content);
  return Sealed{std::make_shared<const Version>(std::move(version)), std::move(draft)};
}

// Which may be a draft that has been forked meanwhile, or even replaced by the publication of its fork.
bool FileBytes::published(const std::shared_ptr<Draft>& draft, const VersionPtr& version) {
  Dropped dropped;
  Dropped idle;
  MutexLock lock(mutex_);
  if (base_draft_ > draft->number()) return false;
  base_ = version;
  base_draft_ = draft->number();
  dropped.reader = std::exchange(reader_, nullptr);
  if (draft_ != draft) return true;
  sealed_.reset();
  if (frozen_ && draft_->dirty()) return true;  // it was changed after it was sealed, and then frozen
  frozen_ = false;
  own_.clear();
  if (draft_->dirty()) return true;  // written to meanwhile: its note stays, for whoever looks after a crash
  noted_ = false;
  mtime_.reset();
  draft_->release();
  idle = drop_draft_if_idle_locked();
  return true;
}

// A draft whose bytes have been sealed as they are may be in the store by now, under the stamp that it had then.
std::optional<FileBytes::Frozen> FileBytes::freeze(uint64_t session) {
  const WriterLock nobody_writes(freezing_);
  MutexLock lock(mutex_);
  if (!unpublished_locked()) return std::nullopt;
  const bool has_stamp = !own_.empty() && (frozen_ || (sealed_ && !draft_->dirty()));
  const VersionStamp stamp = has_stamp ? own_.back() : next_stamp_locked(session);
  frozen_ = true;
  return Frozen{draft_, base_, own_, stamp, mtime_.value_or(stamp.published)};
}

std::shared_ptr<Draft> FileBytes::frozen() const {
  MutexLock lock(mutex_);
  return frozen_ ? draft_ : nullptr;
}

void FileBytes::adopt(const Frozen& kept) {
  MutexLock lock(mutex_);
  if (draft_ && (!frozen_ || draft_->number() > kept.draft->number())) return;
  draft_ = kept.draft;
  frozen_ = true;
  own_ = kept.own;
  mtime_ = kept.mtime;
  last_published_ = std::max(last_published_, kept.stamp.published);
}

void FileBytes::let_go(const std::shared_ptr<Draft>& draft) {
  Dropped dropped;
  MutexLock lock(mutex_);
  if (!draft || draft_ != draft || !frozen_) return;
  let_go_ = true;
  dropped = drop_draft_if_idle_locked();
}

void FileBytes::identity_changed() {
  MutexLock lock(mutex_);
  noted_ = false;
}

// The reader goes as well: it was opened without the page sink, as somebody was writing. The next one may get it.
FileBytes::Dropped FileBytes::drop_draft_if_idle_locked() {
  if (writers_ > 0 || !draft_) return {};
  const bool is_given_up = frozen_ && let_go_;
  if (unpublished_locked() && !is_given_up) return {};
  if (is_given_up) mtime_.reset();
  frozen_ = false;
  sealed_.reset();
  Dropped dropped;
  if (!is_given_up && base_ && base_draft_ == draft_->number()) {
    dropped.version = base_;
    dropped.sources = &sources_;
  }
  dropped.draft = std::exchange(draft_, nullptr);
  dropped.reader = std::exchange(reader_, nullptr);
  return dropped;
}

// Without the store: the list of chunks, having just been stored, is on this machine, or there is no cache for images.
FileBytes::Dropped::~Dropped() {
  if (!version || std::holds_alternative<SharedBuffer>(version->content)) return;
  const auto* list = std::get_if<Digest>(&version->content);
  if (list != nullptr && !sources->environment.cache.contains(*list)) return;
  const auto context = RequestContext::within(kPatienceForOldChunks, Cause::maintenance);
  const auto written = FileReader::open(sources->environment, sources->reader, version, context);
  if (written) draft->become_image(**written);
}

void FileBytes::discard() {
  if (const auto draft = draft_if_any()) draft->release();
}

}  // namespace cairn
