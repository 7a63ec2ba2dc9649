import { words } from './vocabulary.ts';

/** Names as sellers from elsewhere write them, by category. */
const NAMES: Readonly<Record<string, string>> = {
  'mugs-cups': 'マグカップ|كوب قهوة من السيراميك|Große Frühstückstasse|Türk Kahvesi Fincanı',
  'tea-gear': '南部鉄器の急須|إبريق شاي نحاسي|Teekännchen für zwei|İnce Belli Çay Bardağı',
  'coffee-gear': 'دلة قهوة عربية|手挽きコーヒーミル|Mokkakännchen|Bakır Cezve ☕',
  'kitchen-knives': '三徳包丁|سكين الطاهي|Kräftiges Küchenmesser|Şef Bıçağı',
  'plates-bowls': 'ラーメンどんぶり|طبق تقديم مزخرف|Tiefe Müslischüssel|Çini Tabak',
  rugs: 'سجادة صوف منسوجة يدويا|Gewebter Flurläufer|El Dokuması Kilim|い草ラグ',
  'candles-scents': 'بخور العود|Duftkerze Weißtanne|お香セット|Gül Kokulu Mum',
  lamps: '和紙ランプ|فانوس نحاسي|Leselampe Mühlbach|Mozaik Lamba',
  't-shirts': 'Ringelshirt für Große|プリントTシャツ|تيشيرت قطن|Çizgili Tişört',
  'jackets-coats': 'Übergangsjacke|レインコート|معطف صوف|Yağmurluk Şehir',
  jewellery: 'خاتم فضة منقوش|Gümüş Küpe|真珠のネックレス|Silberkette Löwenzahn',
  'dolls-plush': 'Plüschbär Fräulein Öhrchen|ぬいぐるみ きつね|دمية قماش|Pelüş Tavşan 🐇|Family Puppets 👩‍👩‍👧‍👦',
  'board-games': '将棋セット|طاولة زهر|Würfelspiel für Füchse|Tavla Takımı|Pirates Ahoy 🏴‍☠️',
  notebooks: '和綴じノート|دفتر ملاحظات|Notizbuch Straßenbahn|Çizgisiz Defter',
  'musical-instruments': 'عود شرقي|三味線|Blockflöte für Anfänger|Kısa Sap Saz',
  spices: 'زعتر بلدي|七味唐辛子|Gewürzmischung Döner|Pul Biber',
  'sweets-honey': 'حلاوة طحينية|和三盆|Lebkuchen Nürnberger Art|Antep Fıstıklı Lokum',
  'tea-leaves': '宇治抹茶|شاي بالنعناع|Ostfriesische Mischung Spätlese|Rize Çayı',
  'face-care': '椿油クリーム|صابون حلب للوجه|Gesichtscreme Kräutergarten|Gül Suyu',
  'soaps-bath': 'صابون الغار|ゆず入浴剤|Badesalz Grüner Tee|Zeytinyağlı Sabun',
  'garden-tools': '剪定ばさみ|مقص تقليم|Gießkanne Größe M|Bahçe Küreği|Garden Helper Gloves 👩‍🌾',
  'cat-supplies': '猫じゃらし|سرير قطط|Kratzbaum Kätzchen|Kedi Yatağı 🐈‍⬛',
};

export interface WorldName {
  readonly category: string;
  readonly name: string;
}

export const WORLD_NAMES: readonly WorldName[] = Object.entries(NAMES).flatMap(([category, list]) =>
  words(list).map((name) => ({ category, name })),
);
