/** What is tried first, of at least eight characters, folded. Shorter ones are refused by the contract. */
export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(
  `
  00000000 01234567 0123456789 11111111 111111111 1111111111 11223344 12121212 12341234 12344321 123123123 12345678 123456789
  1234567890 1234567891 12345679 123454321 1234qwer 123qweasd 123qwe123 12qwaszx 147258369 159753456 1q2w3e4r 1q2w3e4r5t
  1qaz2wsx 1qazxsw2 22222222 33333333 44444444 55555555 66666666 69696969 77777777 77777777 87654321 88888888 987654321 9876543210
  99999999 aa123456 aaaaaaaa abc12345 abcd1234 abcdefgh administrator admin123 admin1234 asdf1234 asdfasdf asdfghjk asdfghjkl
  baseball basketball changeme changeme1 chocolate computer default1 dragon123 football football1 google123 hello123 iloveyou
  iloveyou1 internet jennifer letmein1 letmein123 liverpool login123 master123 michelle michael1 monkey123 nothing1 p@ssw0rd
  p@ssword pa55word pass1234 passpass passw0rd password password! password1 password12 password123 password1234 passwort
  passwort1 princess princess1 q1w2e3r4 q1w2e3r4t5 qazwsxedc qwer1234 qwerasdf qwerqwer qwert123 qwertyui qwertyuiop qwerty12
  qwerty123 qwerty1234 qwertz123 samantha secret12 secret123 starwars sunshine superman superman1 test1234 testtest trustno1
  victoria welcome1 welcome123 whatever zaq12wsx zxcvbnm1 zxcvbnm123
  `
    .trim()
    .split(/\s+/),
);
