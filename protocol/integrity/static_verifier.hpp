#pragma once

#include "protocol/base/result.hpp"
#include "protocol/integrity/merkle_tree.hpp"

namespace ppsp::integrity {

/// Why a size is not believed.
enum class SizeError : std::uint8_t {
    bad_root,       ///< the root is no hash of this function
    bad_chunk_size, ///< zero or variable; or only metadata can tell the size, see `from_peaks`
    bad_size,       ///< no chunk, or more than `static_chunks_max`
    no_peaks,       ///< the hashes do not start with peaks
    peaks_mismatch, ///< the peaks do not lead to the root
    contradiction,  ///< the size is known and is another
};

/// The peaks at the front of a list of hashes (RFC 7574 §5.6.2): they start at chunk 0, adjoin and
/// get narrower. Uncles that follow never continue such a row.
[[nodiscard]] std::span<NodeHash const> leading_peaks(std::span<NodeHash const> offered);

/// Receiver's side of static content: knows the root, learns nodes chunk by chunk, and serves
/// others with what it verified (RFC 7574 §5.2).
///
/// Leaves and inner nodes are hashed alike, so the two hashes below a node are a "chunk" with the
/// hash of that node (trap T15). The place of a chunk in the tree therefore comes from the size of
/// the content: from trusted metadata, or from peaks, which say a size but do not prove the height.
/// What proves it is a chunk that is not as long as two hashes; until one is verified, chunks of
/// just that length are refused.
class StaticVerifier {
public:
    /// Size from trusted metadata.
    [[nodiscard]] static Result<StaticVerifier, SizeError>
    from_chunk_count(Hasher const& hasher, Hash const& root, std::uint32_t chunk_size,
                     std::uint64_t chunk_count);
    /// Size from trusted metadata; `length` in bytes also fixes how long the last chunk is.
    [[nodiscard]] static Result<StaticVerifier, SizeError> from_length(Hasher const& hasher,
                                                                       Hash const& root,
                                                                       std::uint32_t chunk_size,
                                                                       std::uint64_t length);
    /// Size from some peer's peaks (PP-5.6.2-b); what follows them in `offered` is ignored. Not
    /// for chunks of exactly two hashes, which no peaks can tell from inner nodes.
    [[nodiscard]] static Result<StaticVerifier, SizeError>
    from_peaks(Hasher& hasher, Hash const& root, std::uint32_t chunk_size,
               std::span<NodeHash const> offered);

    enum class Verdict : std::uint8_t {
        verified,
        missing_hash,    ///< drop the chunk; the sender may have meant well (trap T22)
        mismatch,        ///< forged chunk or hash
        not_content,     ///< number beyond the content or a length that the chunk cannot have
        height_unproven, ///< as long as two hashes and the first one: fetch another chunk first
    };
    /// Verifies a chunk with known nodes and `offered` ones, peaks among them. On success the nodes
    /// of the path are kept; otherwise nothing but checked peaks is.
    [[nodiscard]] Verdict verify(Hasher& hasher, ChunkId chunk, Bytes payload,
                                 std::span<NodeHash const> offered);

    /// Peaks of another peer. Without trusted metadata the first peer may have claimed too much:
    /// any size may be replaced before the first verified chunk, and later a smaller one of the
    /// same height that keeps all verified chunks. Other sizes give `contradiction`.
    [[nodiscard]] Result<void, SizeError> adopt_peaks(Hasher& hasher,
                                                      std::span<NodeHash const> offered);

    [[nodiscard]] TreeShape const& shape() const { return nodes_.shape(); }
    [[nodiscard]] Hash root() const { return nodes_.get(shape().root()); }
    /// Bytes; known from metadata or once the last chunk was verified (§5.6.1).
    [[nodiscard]] std::optional<std::uint64_t> content_length() const;
    /// Whether the hash of a chunk of the content, and so its whole path, is known.
    [[nodiscard]] bool knows(ChunkId chunk) const;
    /// For serving others; nullopt until all were learned.
    [[nodiscard]] std::optional<std::vector<NodeHash>> peaks() const { return nodes_.peaks(); }
    /// As `MerkleTree::visit_uncles`, only for a chunk that `knows`.
    template <typename Known, typename Visit>
    void visit_uncles(ChunkId chunk, Top top, Known const& known, Visit const& visit) const
    {
        if (!NodeStore::needs_no_uncles(chunk, known)) {
            Bin const end = top == Top::peak ? shape().peak_above(chunk) : shape().root();
            nodes_.visit_uncles(chunk, end, known, visit);
        }
    }
    /// All of them at once.
    template <typename Known>
    [[nodiscard]] std::vector<NodeHash> uncles(ChunkId chunk, Top top, Known const& known) const
    {
        std::vector<NodeHash> list;
        visit_uncles(chunk, top, known, [&](NodeHash const& uncle) { list.push_back(uncle); });
        return list;
    }

private:
    StaticVerifier(Hash const& root, std::uint32_t chunk_size, TreeShape shape, bool trusted);
    [[nodiscard]] Verdict check_length(ChunkId chunk, std::size_t length) const;
    [[nodiscard]] Verdict climb(Hasher& hasher, ChunkId chunk, Hash hash,
                                std::span<NodeHash const> offered);
    [[nodiscard]] bool learn_peaks(Hasher& hasher, std::span<NodeHash const> peaks);
    [[nodiscard]] bool may_become(TreeShape shape) const;

    NodeStore nodes_;
    std::uint32_t chunk_size_;
    bool trusted_; ///< chunk count from metadata
    bool peaks_known_ = false;
    std::vector<std::pair<Bin, Hash>> learned_; ///< by the verification in hand
    std::optional<ChunkId> highest_verified_;
    std::optional<std::size_t> last_chunk_size_;
};

} // namespace ppsp::integrity
