#include "protocol/integrity/key_file.hpp"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <fstream>
#include <iterator>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace ppsp::integrity {
namespace {

namespace fs = std::filesystem;

class KeyFile : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = (fs::temp_directory_path() / "ppsp-key-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory = pattern;
        path = directory / "source.pem";
    }
    void TearDown() override { fs::remove_all(directory); }

    void write(std::string_view text) const { std::ofstream(path) << text; }
    KeyFileError load_error() const
    {
        auto const key = load_key(path);
        EXPECT_FALSE(key.has_value());
        return key ? KeyFileError{255} : key.error();
    }
    std::size_t files() const
    {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
    }

    fs::path directory;
    fs::path path;
};

/// PEM text of a key that this room does not make.
std::string foreign_pem(EVP_PKEY* key, char const* passphrase = nullptr)
{
    BIO* const bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase != nullptr ? EVP_aes_128_cbc() : nullptr,
                                  passphrase, passphrase != nullptr ? 6 : 0, nullptr, nullptr);
    char* data = nullptr;
    long const size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    EVP_PKEY_free(key);
    return text;
}

TEST_F(KeyFile, created_keys_load_again)
{
    for (auto const algorithm :
         {wire::SignatureAlgorithm::ecdsa_p256_sha256, wire::SignatureAlgorithm::ecdsa_p384_sha384,
          wire::SignatureAlgorithm::ed25519}) {
        auto const created = create_key(path, algorithm);
        ASSERT_TRUE(created.has_value());
        auto const loaded = load_key(path);
        ASSERT_TRUE(loaded.has_value());
        EXPECT_EQ(loaded->algorithm(), algorithm);
        EXPECT_EQ(loaded->swarm_id(), created->swarm_id());
        EXPECT_EQ(files(), 1U); // nothing is left aside
        fs::remove(path);
    }
}

TEST_F(KeyFile, only_the_owner_may_read_it)
{
    mode_t const before = ::umask(0);
    auto const created = create_key(path);
    ::umask(before);
    ASSERT_TRUE(created.has_value());
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(KeyFile, an_existing_file_is_not_replaced)
{
    write("precious");
    auto const created = create_key(path);
    ASSERT_FALSE(created.has_value());
    EXPECT_EQ(created.error(), KeyFileError::exists);
    std::ifstream file(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "precious");
    EXPECT_EQ(files(), 1U);
}

TEST_F(KeyFile, missing)
{
    EXPECT_EQ(load_error(), KeyFileError::missing);
    write("file");
    path /= "below-a-file";
    EXPECT_EQ(load_error(), KeyFileError::missing);
}

TEST_F(KeyFile, unreadable)
{
    ASSERT_TRUE(fs::create_directory(path));
    EXPECT_EQ(load_error(), KeyFileError::unreadable);
    path = directory / "pipe";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(load_error(), KeyFileError::unreadable);
    path = directory / "loop";
    fs::create_symlink(path, path);
    EXPECT_EQ(load_error(), KeyFileError::unreadable);
    if (::geteuid() != 0) { // root may read everything
        path = directory / "locked";
        write("key");
        ASSERT_EQ(::chmod(path.c_str(), 0), 0);
        EXPECT_EQ(load_error(), KeyFileError::unreadable);
    }
}

TEST_F(KeyFile, not_a_key)
{
    std::string const pem = PrivateKey::generate()->to_pem();
    for (std::string const& text :
         {std::string(), std::string("hello"), pem.substr(0, 100), std::string(300, '\0'),
          "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + std::string(),
          pem + std::string(key_file_size_max, '\n')}) {
        write(text);
        EXPECT_EQ(load_error(), KeyFileError::not_a_key);
    }
    write(std::string(key_file_size_max - pem.size(), '\n') + pem);
    EXPECT_TRUE(load_key(path).has_value());
}

TEST_F(KeyFile, an_encrypted_key_does_not_ask_the_terminal)
{
    write(foreign_pem(EVP_EC_gen("P-256"), "secret"));
    EXPECT_EQ(load_error(), KeyFileError::not_a_key);
}

TEST_F(KeyFile, wrong_kind)
{
    for (EVP_PKEY* const key : {EVP_RSA_gen(1024), EVP_EC_gen("secp521r1"), EVP_EC_gen("secp256k1"),
                                EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448"),
                                EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519")}) {
        write(foreign_pem(key));
        EXPECT_EQ(load_error(), KeyFileError::wrong_kind);
    }
    fs::remove(path);
    EXPECT_EQ(create_key(path, wire::SignatureAlgorithm::rsa_sha256).error(),
              KeyFileError::wrong_kind);
    EXPECT_EQ(files(), 0U);
}

TEST_F(KeyFile, a_file_with_a_compressed_point_gives_the_same_swarm)
{
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    std::string const plain = [&] {
        EVP_PKEY_up_ref(key);
        return foreign_pem(key);
    }();
    EVP_PKEY_set_utf8_string_param(key, "point-format", "compressed");
    std::string const compressed = foreign_pem(key);
    ASSERT_LT(compressed.size(), plain.size());
    write(compressed);
    auto const loaded = load_key(path);
    ASSERT_TRUE(loaded.has_value());
    EXPECT_EQ(loaded->swarm_id(), PrivateKey::from_pem(plain)->swarm_id());
}

TEST_F(KeyFile, unwritable)
{
    auto const key = PrivateKey::generate().value();
    EXPECT_EQ(save_key(directory / "no-such-directory" / "key.pem", key).error(),
              KeyFileError::unwritable);
    EXPECT_EQ(save_key(directory / std::string(300, 'x'), key).error(), KeyFileError::unwritable);
    EXPECT_EQ(files(), 0U);
}

TEST(KeyFileError, all_have_sentences)
{
    std::set<std::string_view> sentences;
    for (int i = 0; i <= static_cast<int>(KeyFileError::unwritable); ++i) {
        sentences.insert(to_string(static_cast<KeyFileError>(i)));
    }
    EXPECT_EQ(sentences.size(), 6U);
}

} // namespace
} // namespace ppsp::integrity
