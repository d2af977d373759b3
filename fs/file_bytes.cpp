#include "fs/file_bytes.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/mutex.h"
#include "base/posix_error.h"
#include "fs/errno.h"

namespace cairn {

namespace {

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

FileBytes::FileBytes(ByteSources sources, VersionPtr base, PageSink sink)
    : sources_(sources), sink_(std::move(sink)), base_(std::move(base)) {}

FileBytes::FileBytes(ByteSources sources, VersionPtr base, std::shared_ptr<Draft> draft, Nanos mtime)
    : sources_(sources), base_(std::move(base)), draft_(std::move(draft)), mtime_(mtime) {}

FileBytes::~FileBytes() {
  if (reader_) reader_->set_page_sink(nullptr);
}

Result<void> FileBytes::load(const RequestContext& context) {
  if (draft_if_any()) return {};
  if (auto opened = reader(context); !opened) return fail(std::move(opened).error());
  return {};
}

void FileBytes::add_writer(uint64_t session) {
  {
    // Counted before the sink is stopped: from here on no new reader gets the sink, so stopping it once is enough.
    MutexLock lock(mutex_);
    last_session_ = session;
    if (++writers_ > 1) return;
  }
  stop_sink();
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
  if (sink_ && writers_ == 0 && !draft_) reader_->set_page_sink(sink_);
  return reader_;
}

// The draft, made when first needed. Two threads may both make it: the first one stays, the other is still empty. The
// base stays what it was: a publication in between would have left its draft, as each caller counts as a writer.
Result<std::shared_ptr<Draft>> FileBytes::draft(const RequestContext& context) {
  if (auto present = draft_if_any()) return present;
  auto base = reader(context);
  if (!base) return fail(std::move(base).error());
  auto opened = Draft::open(sources_.environment, sources_.reader, sources_.writer, *base);
  if (!opened) return fail(as_io_error(std::move(opened).error()));
  MutexLock lock(mutex_);
  if (!draft_) draft_ = std::move(*opened);
  return draft_;
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

Result<size_t> FileBytes::write(uint64_t offset, ByteView bytes, const RequestContext& context) {
  auto target = draft(context);
  if (!target) return fail(std::move(target).error());
  return write_to(**target, offset, bytes);
}

// The draft comes before the lock, since making it may wait for the store. The end is looked up and written to under
// one lock, so that no two appends land on each other.
Result<size_t> FileBytes::append(ByteView bytes, const RequestContext& context) {
  auto target = draft(context);
  if (!target) return fail(std::move(target).error());
  MutexLock lock(append_mutex_);
  return write_to(**target, (*target)->size_bytes(), bytes);
}

Result<void> FileBytes::truncate(uint64_t size_bytes, const RequestContext& context) {
  if (auto fits = check_range(size_bytes, 0); !fits) return fits;
  auto target = draft(context);
  if (!target) return fail(std::move(target).error());
  if (auto done = for_reader((*target)->truncate(size_bytes)); !done) return done;
  touch();
  return {};
}

Result<void> FileBytes::allocate(int mode, uint64_t offset, uint64_t length, const RequestContext& context) {
  if (length == 0) return fail_posix(EINVAL, "fallocate of no bytes");
  if (auto fits = check_range(offset, length); !fits) return fits;
  auto target = draft(context);
  if (!target) return fail(std::move(target).error());
  if (auto done = for_reader(allocate_in(**target, mode, offset, length)); !done) return done;
  touch();
  return {};
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

bool FileBytes::unpublished_locked() const { return draft_ && (sealed_ || draft_->dirty()); }

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

// With the file's publication turn. sealed_ is set before the commit is tried: the content is durable then, and if only
// the commit fails the next seal finds it here, unless something was written since.
Result<VersionPtr> FileBytes::seal(uint64_t session, const RequestContext& context) {
  const auto draft = draft_if_any();
  std::optional<StoredContent> content;
  {
    MutexLock lock(mutex_);
    if (sealed_ && !draft_->dirty()) content = sealed_;
  }
  if (!content) {
    auto sealed = for_reader(draft->seal(context));
    if (!sealed) return fail(std::move(sealed).error());
    content = std::move(*sealed);
  }
  Version version{*content, {}, {}, {}, {}};
  version.published = sources_.environment.clock.wall_now();
  version.host = sources_.environment.options.host;
  version.session = session;
  MutexLock lock(mutex_);
  sealed_ = std::move(content);
  version.mtime = mtime_.value_or(version.published);
  return std::make_shared<const Version>(std::move(version));
}

void FileBytes::published(VersionPtr version) {
  Dropped dropped;
  MutexLock lock(mutex_);
  base_ = std::move(version);
  sealed_.reset();
  dropped.reader = std::exchange(reader_, nullptr);
  // Writes that came after seal() stay unpublished, in the same draft and with their time.
  if (!draft_->dirty()) mtime_.reset();
  draft_->release();
  Dropped idle = drop_draft_if_idle_locked();
  dropped.draft = std::move(idle.draft);
}

// The reader goes as well: it was opened without the page sink, as somebody was writing. The next one may get it.
FileBytes::Dropped FileBytes::drop_draft_if_idle_locked() {
  if (writers_ > 0 || !draft_ || unpublished_locked()) return {};
  return {std::exchange(draft_, nullptr), std::exchange(reader_, nullptr)};
}

Result<void> FileBytes::keep(const std::string& identity) {
  const auto draft = draft_if_any();
  if (!draft) return {};
  return draft->keep(identity);
}

// The draft itself stays for the descriptors that are still open.
void FileBytes::discard() {
  if (const auto draft = draft_if_any()) draft->release();
}

}  // namespace cairn
