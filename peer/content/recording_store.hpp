#pragma once

#include "protocol/base/range_set.hpp"
#include "protocol/integrity/merkle_tree.hpp"
#include "protocol/integrity/static_verifier.hpp"

#include <memory>
#include <optional>
#include <variant>

namespace ppsp::peer {

/// Where the bytes of a recording lie: a file of the shell, memory in a test. Called from the
/// engine, so it must not block for longer than a disk does.
class RecordingBytes {
public:
    virtual ~RecordingBytes() = default;
    /// Bytes that are there already; valid until the next call, empty if they cannot be read.
    [[nodiscard]] virtual Bytes read(std::uint64_t offset, std::size_t size) = 0;
    /// False if they could not be kept (disk full, broken).
    [[nodiscard]] virtual bool write(std::uint64_t offset, Bytes bytes) = 0;
};

/// A recording as a swarm spreads it: chunks under a Merkle tree whose root is the swarm id
/// (RFC 7574 §5). Everything in it is verified.
class RecordingStore {
public:
    /// All of it is there, as the one who seeds has it; `length` in bytes belongs to the tree.
    RecordingStore(std::shared_ptr<integrity::MerkleTree const> tree, std::uint32_t chunk_size,
                   std::uint64_t length, RecordingBytes& bytes);
    /// Nothing is there yet. Without `length` the size comes from peaks and the last chunk (§5.6).
    /// A length that no content of this root can have (0, more than `static_chunks_max` chunks)
    /// counts as unknown.
    RecordingStore(integrity::Hasher const& hasher, integrity::Hash const& root,
                   std::uint32_t chunk_size, std::optional<std::uint64_t> length,
                   RecordingBytes& bytes);

    enum class Verdict : std::uint8_t {
        added,
        had_it,
        missing_hash, ///< drop it, or wait for more hashes
        wrong,        ///< forged chunk or hash
        unknown_size, ///< no peaks came yet
        not_kept,     ///< it is right, and could not be written
    };
    /// Verifies a chunk with known and `offered` hashes and keeps it.
    [[nodiscard]] Verdict add(integrity::Hasher& hasher, ChunkId chunk, Bytes payload,
                              std::span<integrity::NodeHash const> offered);
    /// Peaks of some peer, where the size is not known for certain; false if they do not lead to
    /// the root, or contradict what was verified.
    bool offer_peaks(integrity::Hasher& hasher, std::span<integrity::NodeHash const> offered);

    /// Chunks, where known or claimed by checked peaks.
    [[nodiscard]] std::optional<std::uint64_t> chunk_count() const;
    /// Bytes; from metadata or with the last chunk.
    [[nodiscard]] std::optional<std::uint64_t> length() const;
    [[nodiscard]] std::uint32_t chunk_size() const { return chunk_size_; }
    [[nodiscard]] RangeSet const& have() const { return have_; }
    [[nodiscard]] bool has(ChunkId chunk) const { return have_.contains(chunk); }
    [[nodiscard]] bool is_whole() const;
    /// Bytes of it that are there.
    [[nodiscard]] std::uint64_t bytes_held() const { return bytes_held_; }

    /// Payload of a held chunk, valid until the next call; empty if it cannot be read.
    [[nodiscard]] Bytes chunk(ChunkId chunk) const;
    /// Left to right; empty until all are known.
    [[nodiscard]] std::span<integrity::NodeHash const> peaks() const { return peaks_; }
    /// Of a held chunk, up to its peak, or to the root while the peaks are not known; see
    /// MerkleTree::visit_uncles.
    template <typename Known, typename Visit>
    void visit_uncles(ChunkId chunk, Known const& known, Visit const& visit) const
    {
        auto const top = peaks_.empty() ? integrity::Top::root : integrity::Top::peak;
        if (auto const* tree = std::get_if<Tree>(&hashes_)) {
            (*tree)->visit_uncles(chunk, top, known, visit);
        } else {
            std::get<integrity::StaticVerifier>(hashes_).visit_uncles(chunk, top, known, visit);
        }
    }

private:
    using Tree = std::shared_ptr<integrity::MerkleTree const>;

    std::uint32_t chunk_size_;
    RecordingBytes* bytes_;
    integrity::Hash root_;
    /// Nothing while the size is unknown.
    std::variant<std::monostate, Tree, integrity::StaticVerifier> hashes_;
    std::vector<integrity::NodeHash> peaks_;
    RangeSet have_;
    std::uint64_t bytes_held_ = 0;

    void learn_peaks();
};

} // namespace ppsp::peer
