// The commonest of at least twelve characters, as lists of stolen passwords count them: what everybody tries first.
const words = `
123456789012 1234567890123 12345678901234 123456789012345 1234567890123456 0123456789012 012345678910 123456789123
123456789abc 123123123123 121212121212 111111111111 000000000000 222222222222 555555555555 777777777777 888888888888
999999999999 112233445566 098765432109 987654321098 0987654321098 147258369147 147852369147 789456123789 1q2w3e4r5t6y
1q2w3e4r5t6y7u 1q2w3e4r5t6y7u8i 1qaz2wsx3edc 1qaz2wsx3edc4rfv 1qazxsw23edc zaq12wsxcde3 qwertyuiop12 qwertyuiop123
qwertyuiop1234 qwertyuiopasdf qwertyuiop[] qwertyuiop[]\\ qwerty123456 qwerty1234567 qwerty12345678 qwerty123456789
qwertyqwerty qazwsxedcrfv qazwsxedc123 asdfghjkl123 asdfghjkl1234 asdfghjkl;' asdfasdfasdf asdf1234asdf zxcvbnm12345
zxcvbnm123456 zxcvbnm,./123 abcdefghijkl abcdefghijklm abcdef123456 abcd1234abcd abcd12345678 abc123abc123 abc123456789
abcabcabcabc aaaaaaaaaaaa password1234 password12345 password123456 passwordpassword password1password passw0rd1234
passw0rdpassw0rd password123! password1234! password2024 password2025 password2026 p@ssw0rd1234 p@ssword1234
p@ssw0rd123! passwort1234 motdepasse123 contrasena123 mypassword123 mypassword12 letmein12345 letmeinletmein welcome12345
welcome123456 welcome12345! welcome2remit welcomewelcome administrator administrator1 administrator123 admin1234567
admin12345678 adminadminadmin admin123admin iloveyou1234 iloveyou12345 iloveyouforever iloveyousomuch iloveyoubaby
iloveyou123! sunshine1234 princess1234 princess12345 football1234 football12345 baseball1234 basketball12 basketball123
superman1234 spiderman123 pokemon12345 dragon123456 monkey123456 michael12345 jennifer1234 jessica12345 christopher1
charlie12345 liverpool123 liverpoolfc1 manchester123 manutd123456 chelsea12345 arsenal12345 barcelona123 realmadrid12
mustang12345 computer1234 internet1234 samsung12345 google123456 facebook1234 facebook12345 linkedin1234 trustno1trustno1
changeme1234 changemenow! changeme12345 secret123456 secretsecret test12345678 testtesttest testing12345 temppassword
temporary123 default12345 guest1234567 user12345678 blink182blink secretpassword whatever1234 starwars1234 harrypotter1
thisismypassword thequickbrownfox nevergonnagiveyouup correcthorsebatterystaple remitremitremit remit1234567
`;

export const passwordsTriedFirst: ReadonlySet<string> = new Set(
  words.split(/\s+/).filter((word) => word !== ""),
);
