#include "peer/shell/key_state.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <unistd.h>

namespace ppsp::peer {
namespace {

std::filesystem::path state_path(std::filesystem::path const& key_file)
{
    auto path = key_file;
    path += ".state";
    return path;
}

/// Two lines, `next_chunk N` and `chunks_per_unit N`.
std::string to_text(KeyState const& state)
{
    return "next_chunk " + std::to_string(to_number(state.next)) + "\nchunks_per_unit " +
           std::to_string(state.chunks_per_unit) + "\n";
}

bool is_unit_size(std::uint32_t chunks)
{
    return chunks >= 8 && chunks <= 64 && (chunks & (chunks - 1)) == 0;
}

Result<KeyState, std::string> read_state(std::filesystem::path const& path)
{
    if (!std::filesystem::exists(path)) {
        return KeyState{};
    }
    std::ifstream file(path);
    std::string next_key;
    std::string unit_key;
    std::uint64_t next = 0;
    KeyState state;
    file >> next_key >> next >> unit_key >> state.chunks_per_unit;
    bool const is_good = !file.fail() && next_key == "next_chunk" &&
                         unit_key == "chunks_per_unit" && is_unit_size(state.chunks_per_unit);
    if (!is_good) {
        return failure(path.string() + " is damaged: chunk numbers already used are not known; "
                                       "broadcast with a new key");
    }
    if (next > KeyStateFile::chunk_max) {
        return failure(path.string() + ": this key has used up its chunk numbers; broadcast with a "
                                       "new key");
    }
    state.next = ChunkId{next};
    return state;
}

bool write_and_sync(int fd, std::string const& text)
{
    return ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
           ::fsync(fd) == 0;
}

} // namespace

Result<KeyStateFile, std::string> KeyStateFile::open(std::filesystem::path key_file)
{
    int const lock = ::open(key_file.c_str(), O_RDONLY | O_CLOEXEC);
    if (lock < 0) {
        return failure("cannot read " + key_file.string() + ": " + std::strerror(errno));
    }
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
        ::close(lock);
        return failure("another ppsp-broadcast is using the key " + key_file.string());
    }
    auto const path = state_path(key_file);
    auto state = read_state(path);
    if (!state) {
        ::close(lock);
        return failure(std::move(state.error()));
    }
    return KeyStateFile(path, lock, *state);
}

KeyStateFile::KeyStateFile(KeyStateFile&& other) noexcept
    : path_(std::move(other.path_)), lock_(other.lock_), state_(other.state_)
{
    other.lock_ = -1;
}

KeyStateFile::~KeyStateFile()
{
    if (lock_ >= 0) {
        ::close(lock_);
    }
}

Result<void, std::string> KeyStateFile::reserve(ChunkId next, std::uint32_t chunks_per_unit)
{
    if (next <= state_.next && chunks_per_unit == state_.chunks_per_unit) {
        return {};
    }
    return write({next + reserve_chunks, chunks_per_unit});
}

Result<void, std::string> KeyStateFile::close(ChunkId next, std::uint32_t chunks_per_unit)
{
    return write({next, chunks_per_unit});
}

Result<void, std::string> KeyStateFile::write(KeyState const& state)
{
    auto written = write_atomically(path_, to_text(state));
    if (written) {
        state_ = state;
    }
    return written;
}

Result<void, std::string> write_atomically(std::filesystem::path const& path,
                                           std::string const& text)
{
    std::string const temporary = path.string() + "." + std::to_string(::getpid()) + ".new";
    int const fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool const is_written = fd >= 0 && write_and_sync(fd, text);
    int error = errno;
    if (fd >= 0) {
        ::close(fd);
    }
    if (is_written && std::rename(temporary.c_str(), path.c_str()) == 0) {
        return {};
    }
    error = is_written ? errno : error;
    ::unlink(temporary.c_str());
    return failure("cannot write " + path.string() + ": " + std::strerror(error));
}

} // namespace ppsp::peer
