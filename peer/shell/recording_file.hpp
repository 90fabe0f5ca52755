#pragma once

#include "peer/content/recording_store.hpp"
#include "peer/shell/read_blocks.hpp"
#include "protocol/base/result.hpp"

#include <functional>
#include <memory>
#include <string>

namespace ppsp::peer {

/// A recording on disk. Reads and writes of neighbouring chunks go to the system together; what was
/// written can be read at once. Not thread-safe: for the node's thread.
class RecordingFile final : public RecordingBytes {
public:
    /// Most bytes of one write of the system.
    static constexpr std::size_t block_bytes = std::size_t{256} << 10;

    /// A file to seed; the error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<RecordingFile>, std::string>
    open(std::string const& path);
    /// A file to be filled, made or overwritten, unless another program fills it just now; with
    /// `length` its room on the disk is taken at once.
    [[nodiscard]] static Result<std::unique_ptr<RecordingFile>, std::string>
    create(std::string const& path, std::optional<std::uint64_t> length);
    /// One without a name, gone with the program.
    [[nodiscard]] static Result<std::unique_ptr<RecordingFile>, std::string>
    temporary(std::optional<std::uint64_t> length);
    ~RecordingFile() override;
    RecordingFile(RecordingFile const&) = delete;
    RecordingFile& operator=(RecordingFile const&) = delete;

    [[nodiscard]] Bytes read(std::uint64_t offset, std::size_t size) override;
    [[nodiscard]] bool write(std::uint64_t offset, Bytes bytes) override;

    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// After a write that failed: end of what reached the disk, where all was written in order.
    [[nodiscard]] std::uint64_t kept() const { return kept_; }
    /// Writes what waits and cuts the file at `length`. The error is a sentence.
    [[nodiscard]] Result<void, std::string> finish(std::uint64_t length);
    /// After `finish`, any thread: waits until the file survives a power cut. The error is a
    /// sentence.
    [[nodiscard]] Result<void, std::string> sync() const;
    /// Times that the system was asked to read.
    [[nodiscard]] std::uint64_t disk_reads() const { return disk_reads_; }
    /// Why `write` or `read` failed; a sentence, empty if nothing did.
    [[nodiscard]] std::string const& error() const { return error_; }

private:
    RecordingFile(int descriptor, std::string path, std::uint64_t size);
    [[nodiscard]] bool flush();
    [[nodiscard]] std::size_t read_from_disk(std::uint64_t offset, std::span<std::uint8_t> room);
    [[nodiscard]] Bytes enough(Bytes read, std::size_t offset, std::size_t size);
    [[nodiscard]] bool reserve(std::uint64_t length);

    int descriptor_;
    std::string path_;
    std::uint64_t size_;
    std::uint64_t kept_ = 0;
    std::string error_;
    ByteVector written_; ///< waits to be written
    std::uint64_t written_at_ = 0;
    std::uint64_t disk_reads_ = 0;
    ReadBlocks blocks_;
    ByteVector apart_; ///< was read last, across blocks
};

/// Hash tree of a whole file. `on_progress` hears how many bytes are done, about every 16 MiB;
/// false ends it. The error is a sentence, empty if it was ended.
[[nodiscard]] Result<std::shared_ptr<integrity::MerkleTree const>, std::string>
hash_recording(RecordingFile& file, integrity::Hasher& hasher, std::uint32_t chunk_size,
               std::function<bool(std::uint64_t)> const& on_progress);

} // namespace ppsp::peer
