#include "protocol/base/assert.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/openssl_signature.hpp"
#include "protocol/integrity/private_key.hpp"
#include "protocol/integrity/unit_tree.hpp"
#include "protocol/wire/datagram.hpp"
#include "tests/bench/bench.hpp"

#include <openssl/evp.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>

namespace ppsp::bench {
namespace {

using integrity::Hash;
using integrity::NodeHash;
using integrity::UnitTree;

constexpr ChunkId first_chunk{64 * chunks_per_unit};
constexpr std::size_t node_size = 64; ///< two hashes

ByteVector sample_unit()
{
    ByteVector unit(std::size_t{chunk_size} * chunks_per_unit);
    for (std::size_t i = 0; i < unit.size(); ++i) {
        unit[i] = static_cast<std::uint8_t>(i * 2654435761U >> 7);
    }
    return unit;
}

Bytes chunk_of(ByteVector const& unit, std::size_t index)
{
    return Bytes(unit).subspan(index * chunk_size, chunk_size);
}

/// OpenSSL's SHA-256, with algorithm and context made once.
class BareSha256 {
public:
    BareSha256() { PPSP_ASSERT(EVP_DigestInit_ex2(context_.get(), md_.get(), nullptr) == 1); }
    void digest(Bytes bytes)
    {
        EVP_DigestInit_ex2(context_.get(), nullptr, nullptr);
        EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
        EVP_DigestFinal_ex(context_.get(), out_.data(), nullptr);
    }

private:
    std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> md_{EVP_MD_fetch(nullptr, "SHA256", nullptr),
                                                        &EVP_MD_free};
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(),
                                                                     &EVP_MD_CTX_free};
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> out_{};
};

/// A second thread that hashes what it is handed, and sleeps in between.
class SecondHasher {
public:
    ~SecondHasher()
    {
        chunks_ = 0;
        hand_over();
        thread_.join();
    }
    /// Half of a batch of chunks here, half there.
    void digest(BareSha256& own, ByteVector const& unit, std::size_t chunks)
    {
        unit_ = &unit;
        chunks_ = chunks / 2;
        std::uint32_t const round = hand_over();
        for (std::size_t i = chunks / 2; i < chunks; ++i) {
            own.digest(chunk_of(unit, i % chunks_per_unit));
        }
        for (std::uint32_t done = done_.load(); done != round; done = done_.load()) {
            done_.wait(done);
        }
    }

private:
    std::uint32_t hand_over()
    {
        std::uint32_t const round = ++round_;
        round_.notify_one();
        return round;
    }
    void run()
    {
        BareSha256 sha256;
        for (std::uint32_t round = 0;;) {
            round_.wait(round);
            round += 1;
            if (chunks_ == 0) {
                return;
            }
            for (std::size_t i = 0; i < chunks_; ++i) {
                sha256.digest(chunk_of(*unit_, i % chunks_per_unit));
            }
            done_ = round;
            done_.notify_one();
        }
    }

    ByteVector const* unit_ = nullptr;
    std::size_t chunks_ = 0;
    std::atomic<std::uint32_t> round_ = 0;
    std::atomic<std::uint32_t> done_ = 0;
    std::thread thread_{[this] { run(); }};
};

Sample run_shared(double seconds, std::size_t chunks)
{
    ByteVector const unit = sample_unit();
    BareSha256 own;
    SecondHasher other;
    return repeat(seconds, [&] {
        other.digest(own, unit, chunks);
        return std::uint64_t{chunk_size} * chunks;
    });
}

Sample run_copy(double seconds)
{
    ByteVector const datagram(data_datagram_size, 7);
    return repeat(seconds, [&] {
        for (std::uint32_t i = 0; i < chunks_per_unit; ++i) {
            ByteVector const copy = datagram;
            keep(copy);
        }
        return std::uint64_t{chunk_size} * chunks_per_unit;
    });
}

Sample run_codec(double seconds)
{
    ByteVector const unit = sample_unit();
    wire::SwarmFormat const format;
    return repeat(seconds, [&] {
        std::uint64_t bytes = 0;
        for (std::uint32_t i = 0; i < chunks_per_unit; ++i) {
            ChunkId const chunk = first_chunk + i;
            wire::DatagramWriter writer(ChannelId{1}, format, 1472);
            bool const fits = writer.add(wire::Data{{chunk, chunk}, 1234567, chunk_of(unit, i)});
            PPSP_ASSERT(fits);
            ByteVector const datagram = writer.take();
            wire::DatagramReader reader(datagram, format);
            auto const message = reader.next();
            PPSP_ASSERT(message && *message);
            bytes += std::get<wire::Data>(**message).payload.size();
        }
        return bytes;
    });
}

Sample run_bare_sha256(double seconds)
{
    ByteVector const unit = sample_unit();
    BareSha256 sha;
    return repeat(seconds, [&] {
        for (std::uint32_t i = 0; i < chunks_per_unit; ++i) {
            sha.digest(chunk_of(unit, i));
        }
        return unit.size();
    });
}

Sample run_hasher(double seconds)
{
    ByteVector const unit = sample_unit();
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    return repeat(seconds, [&] {
        for (std::uint32_t i = 0; i < chunks_per_unit; ++i) {
            keep(hasher->leaf(chunk_of(unit, i)));
        }
        return unit.size();
    });
}

/// The hashes that any verifier has to make: one per chunk and one per inner node.
void hash_unit(BareSha256& sha, ByteVector const& unit)
{
    for (std::uint32_t i = 0; i < chunks_per_unit; ++i) {
        sha.digest(chunk_of(unit, i));
    }
    for (std::uint32_t i = 1; i < chunks_per_unit; ++i) {
        sha.digest(Bytes(unit).first(node_size));
    }
}

Sample run_bare_tree(double seconds)
{
    ByteVector const unit = sample_unit();
    BareSha256 sha;
    return repeat(seconds, [&] {
        hash_unit(sha, unit);
        return unit.size();
    });
}

/// What comes with each chunk of a unit that arrives in order.
std::vector<std::vector<NodeHash>> uncles_in_order(UnitTree const& tree)
{
    std::vector<std::vector<NodeHash>> list;
    for (std::uint32_t i = 0; i < chunks_per_unit; ++i) {
        list.push_back(tree.uncles(first_chunk + i, [&](ChunkRange range) {
            return range.first < first_chunk + i; // something of the range came before
        }));
    }
    return list;
}

Sample run_merkle(double seconds)
{
    ByteVector const unit = sample_unit();
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    auto const own = UnitTree::build(*hasher, first_chunk, chunks_per_unit, chunk_size, unit);
    auto const uncles = uncles_in_order(own);
    return repeat(seconds, [&] {
        UnitTree tree(first_chunk, chunks_per_unit, own.munro());
        for (std::uint32_t i = 0; i < chunks_per_unit; ++i) {
            Hash const leaf = hasher->leaf(chunk_of(unit, i));
            auto const verdict = tree.verify(*hasher, first_chunk + i, leaf, uncles[i]);
            PPSP_ASSERT(verdict == UnitTree::Verdict::verified);
        }
        return unit.size();
    });
}

Sample run_bare_crypto(double seconds)
{
    ByteVector const unit = sample_unit();
    BareSha256 sha;
    auto const signer = integrity::make_signer(*integrity::PrivateKey::generate());
    integrity::OpensslChecker checker;
    ByteVector const id = signer->swarm_id();
    ByteVector const munro(48, 5);
    return repeat(seconds, [&] {
        hash_unit(sha, unit); // source
        ByteVector const signature = signer->sign(munro);
        bool const good = checker.check(id, munro, signature);
        PPSP_ASSERT(good);
        hash_unit(sha, unit); // viewer
        return unit.size();
    });
}

} // namespace

std::vector<Row> codec_rows()
{
    return {
        {"copy", "a vector with a datagram's bytes", "", run_copy},
        {"codec", "encode and decode a DATA datagram", "copy", run_codec},
    };
}

std::vector<Row> crypto_rows()
{
    return {
        {"sha256-bare", "OpenSSL EVP in a loop, 1 KiB", "", run_bare_sha256},
        {"sha256", "the engine's hasher, 1 KiB", "sha256-bare", run_hasher},
        {"hash-shared-64", "64 chunks of a read at a time, half of them on a second thread",
         "sha256-bare", [](double seconds) { return run_shared(seconds, 64); }},
        {"hash-shared-512", "512 chunks, which is the most before others get their turn",
         "sha256-bare", [](double seconds) { return run_shared(seconds, 512); }},
        {"tree-bare", "EVP: a unit of 32 chunks and its inner nodes", "", run_bare_tree},
        {"merkle", "verify a unit of 32 chunks, chunk by chunk", "tree-bare", run_merkle},
        {"crypto-bare", "EVP: a unit hashed twice, signed and checked", "", run_bare_crypto},
    };
}

} // namespace ppsp::bench
