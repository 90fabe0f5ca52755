#include "peer/shell/recording_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ppsp::peer {
namespace {

std::string reason()
{
    return std::strerror(errno);
}

/// Whether the path still leads to this file: whoever had it before may have renamed it.
bool names(std::string const& path, int descriptor)
{
    struct stat by_path{};
    struct stat by_descriptor{};
    return ::stat(path.c_str(), &by_path) == 0 && ::fstat(descriptor, &by_descriptor) == 0 &&
           by_path.st_dev == by_descriptor.st_dev && by_path.st_ino == by_descriptor.st_ino;
}

/// A file without a name; where the file system has none, one whose name is taken away.
int open_nameless(std::string const& folder)
{
    int const descriptor = ::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
        return descriptor;
    }
    std::string path = folder + "/ppsp-XXXXXX";
    int const named = ::mkostemp(path.data(), O_CLOEXEC);
    if (named >= 0) {
        static_cast<void>(::unlink(path.c_str()));
    }
    return named;
}

} // namespace

RecordingFile::RecordingFile(int descriptor, std::string path, std::uint64_t size)
    : descriptor_(descriptor), path_(std::move(path)), size_(size)
{}

RecordingFile::~RecordingFile()
{
    static_cast<void>(flush());
    static_cast<void>(::close(descriptor_));
}

Result<std::unique_ptr<RecordingFile>, std::string> RecordingFile::open(std::string const& path)
{
    int const descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return failure("cannot read " + path + ": " + reason());
    }
    struct stat about{};
    if (::fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
        static_cast<void>(::close(descriptor));
        return failure("cannot seed " + path + ": it is no file");
    }
    return std::unique_ptr<RecordingFile>(
        new RecordingFile(descriptor, path, static_cast<std::uint64_t>(about.st_size)));
}

Result<std::unique_ptr<RecordingFile>, std::string>
RecordingFile::create(std::string const& path, std::optional<std::uint64_t> length)
{
    int const descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return failure("cannot write " + path + ": " + reason());
    }
    std::unique_ptr<RecordingFile> file(new RecordingFile(descriptor, path, 0));
    bool const is_locked = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    if (!is_locked || !names(path, descriptor)) {
        return failure("another program is writing " + path);
    }
    if (::ftruncate(descriptor, 0) != 0) {
        return failure("cannot write " + path + ": " + reason());
    }
    if (length && !file->reserve(*length)) {
        return failure(file->error());
    }
    return file;
}

Result<std::unique_ptr<RecordingFile>, std::string>
RecordingFile::temporary(std::optional<std::uint64_t> length)
{
    std::error_code error;
    auto const folder = std::filesystem::temp_directory_path(error);
    std::string const path = error ? "/tmp" : folder.string();
    int const descriptor = open_nameless(path);
    if (descriptor < 0) {
        return failure("cannot write to " + path + ": " + reason());
    }
    std::unique_ptr<RecordingFile> file(new RecordingFile(descriptor, path, 0));
    if (length && !file->reserve(*length)) {
        return failure(file->error());
    }
    return file;
}

/// Takes the room now, so that a full disk is told before an hour of transfer.
bool RecordingFile::reserve(std::uint64_t length)
{
    bool const done = ::fallocate(descriptor_, 0, 0, static_cast<off_t>(length)) == 0;
    if (!done && (errno == ENOSPC || errno == EFBIG)) {
        error_ = "no room for " + std::to_string(length) + " bytes at " + path_ + ": " + reason();
        return false;
    }
    return true; // other file systems take it as it comes
}

Bytes RecordingFile::read(std::uint64_t offset, std::size_t size)
{
    std::uint64_t const block = offset / ReadBlocks::block_bytes;
    auto const within = static_cast<std::size_t>(offset % ReadBlocks::block_bytes);
    if (within + size > ReadBlocks::block_bytes) { // rare: chunks that are no power of two
        apart_.resize(size);
        apart_.resize(read_from_disk(offset, apart_));
        return enough(apart_, 0, size);
    }
    auto bytes = blocks_.find(block);
    if (!bytes) {
        auto const room = blocks_.add(block);
        blocks_.shrink(block, read_from_disk(block * ReadBlocks::block_bytes, room));
        bytes = blocks_.find(block);
    }
    Bytes const found = enough(*bytes, within, size);
    if (found.empty()) {
        blocks_.forget(offset, size); // the disk may have it the next time
    }
    return found;
}

/// Nothing if the file does not reach so far.
Bytes RecordingFile::enough(Bytes read, std::size_t offset, std::size_t size)
{
    if (read.size() >= offset + size) {
        return read.subspan(offset, size);
    }
    if (error_.empty()) {
        error_ = path_ + " became shorter while it was read";
    }
    return {};
}

/// How many bytes there are.
std::size_t RecordingFile::read_from_disk(std::uint64_t offset, std::span<std::uint8_t> room)
{
    bool const is_written =
        offset < written_at_ + written_.size() && written_at_ < offset + room.size();
    if (is_written && !flush()) {
        return 0;
    }
    ++disk_reads_;
    ssize_t const count =
        ::pread(descriptor_, room.data(), room.size(), static_cast<off_t>(offset));
    if (count < 0) {
        error_ = "cannot read " + path_ + ": " + reason();
    }
    return static_cast<std::size_t>(std::max<ssize_t>(count, 0));
}

bool RecordingFile::write(std::uint64_t offset, Bytes bytes)
{
    blocks_.forget(offset, bytes.size());
    bool const continues = !written_.empty() && offset == written_at_ + written_.size() &&
                           written_.size() + bytes.size() <= block_bytes;
    if (!continues) {
        if (!flush()) {
            return false;
        }
        written_at_ = offset;
    }
    written_.insert(written_.end(), bytes.begin(), bytes.end());
    size_ = std::max(size_, offset + bytes.size());
    return true;
}

bool RecordingFile::flush()
{
    std::size_t done = 0;
    while (done < written_.size()) {
        ssize_t const count = ::pwrite(descriptor_, written_.data() + done, written_.size() - done,
                                       static_cast<off_t>(written_at_ + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            error_ = "cannot write " + path_ + ": " + reason();
            written_.clear(); // trying again would only write a hole
            return false;
        }
        done += static_cast<std::size_t>(count);
        kept_ = written_at_ + done;
    }
    written_.clear();
    return true;
}

Result<void, std::string> RecordingFile::finish(std::uint64_t length)
{
    if (!flush()) {
        return failure(error_);
    }
    if (::ftruncate(descriptor_, static_cast<off_t>(length)) != 0) {
        return failure("cannot write " + path_ + ": " + reason());
    }
    return {};
}

Result<void, std::string> RecordingFile::sync() const
{
    if (::fsync(descriptor_) != 0) {
        return failure("cannot write " + path_ + ": " + reason());
    }
    return {};
}

Result<std::shared_ptr<integrity::MerkleTree const>, std::string>
hash_recording(RecordingFile& file, integrity::Hasher& hasher, std::uint32_t chunk_size,
               std::function<bool(std::uint64_t)> const& on_progress)
{
    constexpr std::uint64_t progress_bytes = std::uint64_t{16} << 20;
    if (file.size() == 0) {
        return failure(std::string{"an empty file cannot be seeded: nothing names it"});
    }
    if (file.size() > integrity::static_chunks_max * chunk_size) {
        return failure("a recording may have " +
                       std::to_string(integrity::static_chunks_max * chunk_size) +
                       " bytes, this one is longer");
    }
    std::vector<integrity::Hash> leaves;
    leaves.reserve(static_cast<std::size_t>(file.size() / chunk_size + 1));
    for (std::uint64_t offset = 0; offset < file.size(); offset += chunk_size) {
        if (offset % progress_bytes < chunk_size && on_progress && !on_progress(offset)) {
            return failure(std::string{});
        }
        auto const size = std::min<std::uint64_t>(chunk_size, file.size() - offset);
        Bytes const chunk = file.read(offset, static_cast<std::size_t>(size));
        if (chunk.empty()) {
            return failure(file.error().empty() ? "the file became shorter while it was read"
                                                : file.error());
        }
        leaves.push_back(hasher.leaf(chunk));
    }
    auto tree = integrity::MerkleTree::from_leaves(hasher, leaves);
    if (!tree) {
        return failure(std::string{"its hash tree cannot be made"});
    }
    return std::make_shared<integrity::MerkleTree const>(*std::move(tree));
}

} // namespace ppsp::peer
