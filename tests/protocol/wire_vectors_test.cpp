#include "protocol/base/bins.hpp"
#include "tests/support/vectors.hpp"
#include "tests/support/wire.hpp"

namespace ppsp::wire {
namespace {

using test::bytes_of;
using test::load_vectors;
using test::number_of;
using test::read_all;
using test::text_of;

struct Sample {
    std::string name;
    ByteVector datagram;
    SwarmFormat format;
};

SwarmFormat format_of(boost::json::object const& entry)
{
    SwarmFormat format;
    if (auto const* mode = entry.if_contains("cam")) {
        format.addressing = AddressingMode{boost::json::value_to<std::uint8_t>(*mode)};
    }
    if (auto const* function = entry.if_contains("hash_function")) {
        format.hash_size = hash_size(HashFunction{boost::json::value_to<std::uint8_t>(*function)});
    }
    if (auto const* size = entry.if_contains("chunk_size")) {
        format.chunk_size = boost::json::value_to<std::uint32_t>(*size);
    }
    return format;
}

std::vector<Sample> ppspp_samples()
{
    std::vector<Sample> samples;
    auto const vectors = load_vectors("ppspp_wire.json");
    for (auto const& entry : vectors.at("datagrams_and_messages").as_array()) {
        ByteVector const bytes = bytes_of(entry, "hex");
        EXPECT_EQ(bytes.size(), number_of<std::size_t>(entry, "length"));
        bool const is_datagram = text_of(entry, "kind") == "datagram";
        samples.push_back({text_of(entry, "name"), is_datagram ? bytes : test::in_datagram(bytes),
                           format_of(entry.as_object())});
    }
    return samples;
}

std::vector<Sample> live_samples()
{
    std::vector<Sample> samples;
    auto const vectors = load_vectors("live_umt.json");
    SwarmFormat format;
    format.chunk_size = 512;
    for (auto const& entry : vectors.at("datagrams").as_array()) {
        samples.push_back({text_of(entry, "note"), bytes_of(entry, "hex"), format});
    }
    for (auto const& set : vectors.at("sets").as_array()) {
        for (auto const& munro : set.at("munros").as_array()) {
            for (auto const& entry : munro.at("signatures").as_array()) {
                format.addressing = AddressingMode{number_of<std::uint8_t>(entry, "cam")};
                samples.push_back({"signed munro",
                                   test::in_datagram(bytes_of(entry, "signed_integrity_message")),
                                   format});
            }
        }
    }
    return samples;
}

std::vector<Sample> all_samples()
{
    auto samples = ppspp_samples();
    for (auto& sample : live_samples()) {
        samples.push_back(std::move(sample));
    }
    return samples;
}

Message only_message(std::string const& name)
{
    for (auto const& sample : ppspp_samples()) {
        if (sample.name == name) {
            // Views of the message point into this copy, which lives as long as the program.
            static std::vector<ByteVector> kept;
            kept.push_back(sample.datagram);
            return test::read_one(kept.back(), sample.format).value();
        }
    }
    ADD_FAILURE() << "no vector " << name;
    return Choke{};
}

/// Every view must lie inside the datagram.
class ViewCheck {
public:
    explicit ViewCheck(Bytes datagram) : datagram_(datagram) {}

    void operator()(Data const& m) const { inside(m.payload); }
    void operator()(Integrity const& m) const { inside(m.hash); }
    void operator()(SignedIntegrity const& m) const { inside(m.signature); }
    void operator()(PexCertificate const& m) const { inside(m.certificate); }
    void operator()(auto const&) const {}

private:
    void inside(Bytes view) const
    {
        EXPECT_GE(view.data(), datagram_.data());
        EXPECT_LE(view.data() + view.size(), datagram_.data() + datagram_.size());
    }

    Bytes datagram_;
};

/// Reads bytes that nobody vouches for, from memory that ends where they end.
void survive(Bytes bytes, SwarmFormat format)
{
    auto const exact = std::make_unique<std::uint8_t[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), exact.get());
    Bytes const copy{exact.get(), bytes.size()};
    test::Reading const reading = read_all(copy, format);
    EXPECT_LE(reading.messages.size(), copy.size());
    for (auto const& message : reading.messages) {
        std::visit(ViewCheck(copy), message);
    }
}

TEST(Ppspp, S8_vectors_decode_and_encode_to_the_same_bytes)
{
    auto const samples = all_samples();
    ASSERT_GE(samples.size(), 60u);
    for (auto const& sample : samples) {
        SCOPED_TRACE(sample.name);
        auto const reading = read_all(sample.datagram, sample.format);
        ASSERT_FALSE(reading.error) << to_string(*reading.error);
        DatagramReader reader(sample.datagram, sample.format);
        std::size_t size = 4;
        for (auto const& message : reading.messages) {
            size += encoded_size(message, sample.format);
        }
        EXPECT_EQ(size, sample.datagram.size());
        EXPECT_EQ(to_hex(test::write_all(*reader.destination(), sample.format, reading.messages)),
                  to_hex(sample.datagram));
    }
}

TEST(Ppspp, S3_d_every_prefix_of_a_valid_datagram_is_survived)
{
    for (auto const& sample : all_samples()) {
        SCOPED_TRACE(sample.name);
        for (std::size_t size = 0; size <= sample.datagram.size(); ++size) {
            survive(Bytes(sample.datagram).first(size), sample.format);
        }
    }
}

TEST(Ppspp, S3_d_every_flipped_bit_of_a_valid_datagram_is_survived)
{
    for (auto const& sample : all_samples()) {
        SCOPED_TRACE(sample.name);
        ByteVector bytes = sample.datagram;
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            auto const mask = static_cast<std::uint8_t>(1U << bit % 8);
            bytes[bit / 8] ^= mask;
            survive(bytes, sample.format);
            bytes[bit / 8] ^= mask;
        }
    }
}

TEST(Ppspp, S8_16_handshake_of_the_example)
{
    auto const handshake = std::get<Handshake>(only_message("rfc8.16-1-corrected"));
    EXPECT_EQ(handshake.source, ChannelId{1});
    EXPECT_EQ(handshake.options.version, 1);
    EXPECT_EQ(handshake.options.minimum_version, 1);
    EXPECT_EQ(to_hex(handshake.options.swarm_id.value()),
              "0ba904eae8773b70c75333db4de2f3ac45a8ad4ddba1b242f0b3cfc199391dd8");
    EXPECT_EQ(handshake.options.integrity_method, IntegrityMethod::merkle_tree);
    EXPECT_EQ(handshake.options.hash_function, HashFunction::sha256);
    EXPECT_EQ(handshake.options.addressing, AddressingMode::chunk32);
    EXPECT_EQ(handshake.options.chunk_size, 1024u);
    EXPECT_FALSE(handshake.options.signature_algorithm);
    EXPECT_FALSE(handshake.options.discard_window);
    EXPECT_FALSE(handshake.options.supported_messages);
}

TEST(Ppspp, S8_16_the_printed_swarm_id_has_good_framing)
{
    auto const handshake = std::get<Handshake>(only_message("rfc8.16-1-as-printed"));
    EXPECT_EQ(handshake.options.swarm_id.value().size(), 20u); // trap T1: upper layers refuse it
}

TEST(Ppspp, S8_6_c_data_carries_microseconds_and_chunk)
{
    auto const data = std::get<Data>(only_message("rfc8.16-4"));
    EXPECT_EQ(data.chunks, single(ChunkId{0}));
    EXPECT_EQ(data.sent_at, 0x0004e94180b7db44);
    EXPECT_EQ(to_hex(data.payload), to_hex(as_bytes("Hello world!\n")));
}

TEST(Ppspp, S3_4_b_delay_sample_is_signed_microseconds)
{
    for (std::string const mode : {"chunk32", "chunk64", "bin32", "bin64"}) {
        auto const ack = std::get<Ack>(only_message("ack-4-7-delay-minus-250ms-" + mode));
        EXPECT_EQ(ack.chunks, (ChunkRange{ChunkId{4}, ChunkId{7}}));
        EXPECT_EQ(ack.one_way_delay, Duration{-250'000});
    }
}

TEST(Ppspp, S8_13_pex_addresses)
{
    EXPECT_EQ(std::get<PexResponse>(only_message("pex_resv4")).peer.text(), "192.0.2.33:6778");
    EXPECT_EQ(std::get<PexResponse>(only_message("pex_resv6")).peer.text(), "[2001:db8::33]:6778");
    EXPECT_EQ(to_hex(std::get<PexCertificate>(only_message("pex_rescert-dummy")).certificate),
              "4345525421");
}

TEST(Ppspp, S8_3_closing_handshakes_of_the_vectors)
{
    EXPECT_EQ(std::get<Handshake>(only_message("rfc8.16-6-close")), Handshake{});
    auto const with_version = std::get<Handshake>(only_message("close-with-version"));
    EXPECT_EQ(with_version.source, ChannelId{0});
    EXPECT_EQ(with_version.options.version, 1);
}

TEST(Ppspp, S6_1_2_3_c_order_of_a_first_live_datagram)
{
    auto const first = live_samples().at(0);
    auto const reading = read_all(first.datagram, first.format);
    std::vector<MessageType> types;
    for (auto const& message : reading.messages) {
        types.push_back(type_of(message));
    }
    using enum MessageType;
    EXPECT_EQ(types,
              (std::vector{integrity, signed_integrity, integrity, integrity, MessageType::data}));
    EXPECT_EQ(std::get<Data>(reading.messages.back()).payload.size(), 512u);
    EXPECT_EQ(static_cast<std::uint64_t>(std::get<SignedIntegrity>(reading.messages[1]).signed_at),
              0xed00378140000000u);
}

TEST(Ppspp, S7_a_option_lists_of_the_vectors)
{
    auto const vectors = load_vectors("ppspp_wire.json");
    for (auto const& entry : vectors.at("option_lists").as_array()) {
        SCOPED_TRACE(text_of(entry, "name"));
        ByteVector const bytes = bytes_of(entry, "hex");
        ByteReader reader(bytes);
        auto const options = decode_options(reader);
        ASSERT_TRUE(options);
        EXPECT_TRUE(reader.empty());
        ByteVector again;
        encode_options(*options, again);
        EXPECT_EQ(to_hex(again), to_hex(bytes));
        EXPECT_EQ(encoded_size(*options), bytes.size());
    }
}

TEST(Ppspp, S7_a_malformed_option_lists_are_refused)
{
    auto const vectors = load_vectors("ppspp_wire.json");
    for (auto const& entry : vectors.at("malformed_option_lists").as_array()) {
        SCOPED_TRACE(text_of(entry, "why"));
        ByteVector const bytes = bytes_of(entry, "hex");
        ByteReader reader(bytes);
        EXPECT_FALSE(decode_options(reader));
    }
}

TEST(Ppspp, S7_10_supported_messages_of_the_vectors)
{
    auto const vectors = load_vectors("ppspp_wire.json");
    for (auto const& entry : vectors.at("supported_messages").as_array()) {
        Options options;
        options.version = 1;
        options.supported_messages.emplace();
        for (auto const& type : entry.at("types").as_array()) {
            options.supported_messages->set(boost::json::value_to<std::size_t>(type));
        }
        ByteVector bytes;
        encode_options(options, bytes);
        EXPECT_EQ(to_hex(bytes), "0001" + text_of(entry, "option") + "ff");
        ByteReader reader(bytes);
        EXPECT_EQ(decode_options(reader).value(), options);
    }
}

TEST(Ppspp, S8_1_a_size_of_the_first_datagram_of_a_subtree)
{
    auto const vectors = load_vectors("ppspp_wire.json");
    ByteVector const hash(32);
    ByteVector const signature(64);
    ByteVector const chunk(1024);
    ChunkRange const range = single(ChunkId{0});
    for (auto const& row : vectors.at("first_datagram_budget").at("rows").as_array()) {
        SwarmFormat format;
        format.addressing = AddressingMode{number_of<std::uint8_t>(row, "cam")};
        std::vector<Message> messages{Integrity{range, hash},
                                      SignedIntegrity{range, NtpTime{1}, signature}};
        messages.resize(2 + number_of<std::size_t>(row, "uncles"), Integrity{range, hash});
        messages.emplace_back(Data{range, 0, chunk});
        EXPECT_EQ(test::write_all(ChannelId{1}, format, messages).size(),
                  number_of<std::size_t>(row, "udp_payload"));
    }
}

TEST(Ppspp, S8_2_ranges_of_the_vectors_in_every_mode)
{
    auto const vectors = load_vectors("bins.json");
    for (auto const& row : vectors.at("ranges").as_array()) {
        ChunkRange const range{ChunkId{number_of<std::uint64_t>(row, "first_chunk")},
                               ChunkId{number_of<std::uint64_t>(row, "last_chunk")}};
        for (auto const& [mode, key] : {std::pair{AddressingMode::chunk32, "wire_chunk32"},
                                        std::pair{AddressingMode::chunk64, "wire_chunk64"},
                                        std::pair{AddressingMode::byte64, "wire_chunk64"}}) {
            ByteVector bytes;
            ASSERT_TRUE(has_spec(mode, range));
            encode_spec(mode, range, bytes);
            EXPECT_EQ(to_hex(bytes), text_of(row, key));
            ByteReader reader(bytes);
            EXPECT_EQ(decode_spec(mode, reader), range);
        }
        bool const is_bin = row.at("bins").as_array().size() == 1;
        EXPECT_EQ(has_spec(AddressingMode::bin64, range), is_bin);
    }
}

TEST(Ppspp, S4_2_bins_of_the_vectors_on_the_wire)
{
    auto const vectors = load_vectors("bins.json");
    for (auto const& row : vectors.at("wire").as_array()) {
        ChunkRange const chunks = chunks_of(Bin{number_of<std::uint64_t>(row, "bin")});
        for (auto const& [mode, key] : {std::pair{AddressingMode::bin32, "wire_bin32"},
                                        std::pair{AddressingMode::bin64, "wire_bin64"}}) {
            ByteVector bytes;
            encode_spec(mode, chunks, bytes);
            EXPECT_EQ(to_hex(bytes), text_of(row, key));
            ByteReader reader(bytes);
            EXPECT_EQ(decode_spec(mode, reader), chunks);
        }
    }
}

TEST(Ppspp, S4_2_special_bins)
{
    auto const vectors = load_vectors("bins.json");
    auto const& special = vectors.at("special");
    auto const decode = [&special](AddressingMode mode, char const* key) {
        ByteVector const bytes = bytes_of(special, key);
        ByteReader reader(bytes);
        return decode_spec(mode, reader);
    };
    auto const refused = Result<ChunkRange, DecodeError>(failure(DecodeError::bad_range));
    EXPECT_EQ(decode(AddressingMode::bin32, "none32"), refused);
    EXPECT_EQ(decode(AddressingMode::bin64, "none64"), refused);
    EXPECT_EQ(decode(AddressingMode::bin32, "all32"),
              (ChunkRange{ChunkId{0}, ChunkId{0x7fff'ffff}}));
    EXPECT_EQ(decode(AddressingMode::bin64, "all64"),
              (ChunkRange{ChunkId{0}, ChunkId{0x7fff'ffff'ffff'ffff}}));
}

} // namespace
} // namespace ppsp::wire
